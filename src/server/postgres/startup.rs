//! Who is let in: everybody where there are no keys, otherwise those whose password is one.
//!
//! The password crosses as it is, over TLS or within this machine alone: a challenge that hides it
//! needs what this server does not keep, the key or a salted hash of it. Who gave wrong ones waits.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion_postgres::pgwire::api::auth::{
    self, DefaultServerParameterProvider, StartupHandler,
};
use datafusion_postgres::pgwire::api::{
    ClientInfo, ConnectionManager, PgWireConnectionState, PidSecretKeyGenerator,
    RandomPidSecretKeyGenerator,
};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::startup::Authentication;
use datafusion_postgres::pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use futures::{Sink, SinkExt};

use super::super::keys::Keys;
use super::super::settings::Settings;
use super::failure::fatal;
use super::settings;
use super::throttle::Throttle;

pub struct Startup {
    keys: Option<Keys>,
    requires_tls: bool,
    throttle: Throttle,
    /// Microseconds UTC.
    clock: fn() -> i64,
    /// Those that can be asked to cancel.
    clients: Arc<ConnectionManager>,
    secrets: RandomPidSecretKeyGenerator,
    told: DefaultServerParameterProvider,
}

impl Startup {
    pub fn of(service: &Settings, clients: Arc<ConnectionManager>) -> Self {
        let mut told = DefaultServerParameterProvider::default();
        told.server_version = settings::SERVER_VERSION.to_owned();
        told.time_zone = settings::TIME_ZONE.to_owned();
        told.is_superuser = false;
        told.default_transaction_read_only = true;
        Self {
            keys: service.keys.clone(),
            requires_tls: service.requires_tls,
            throttle: Throttle::default(),
            clock: service.clock,
            clients,
            secrets: RandomPidSecretKeyGenerator::default(),
            told,
        }
    }

    async fn let_in<C>(&self, client: &mut C) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (process, secret) = self.secrets.generate(client);
        client.set_pid_and_secret_key(process, secret.clone());
        let (handle, guard) = self.clients.register(process, secret);
        client.session_extensions().insert(handle);
        client.session_extensions().insert(guard);
        auth::finish_authentication(client, &self.told).await
    }
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(
        &self,
        client: &mut C,
        message: PgWireFrontendMessage,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match (message, &self.keys) {
            (PgWireFrontendMessage::Startup(startup), keys) => {
                if self.requires_tls && !client.is_secure() {
                    return Err(fatal(
                        "28000",
                        "this server takes no connection without TLS (--require-tls); connect with sslmode=require",
                    ));
                }
                auth::protocol_negotiation(client, &startup).await?;
                auth::save_startup_parameters_to_metadata(client, &startup);
                if keys.is_none() {
                    return self.let_in(client).await;
                }
                if !client.is_secure() && !client.socket_addr().ip().is_loopback() {
                    return Err(fatal("28000", "expected TLS: the key crosses as it is"));
                }
                client.set_state(PgWireConnectionState::AuthenticationInProgress);
                let ask = Authentication::CleartextPassword;
                client.send(PgWireBackendMessage::Authentication(ask)).await?;
                Ok(())
            }
            (PgWireFrontendMessage::PasswordMessageFamily(password), Some(keys)) => {
                let password = password.into_password()?.password;
                let address = client.socket_addr().ip();
                tokio::time::sleep(self.throttle.delay(address, (self.clock)())).await;
                if keys.role(&password).is_some() {
                    return self.let_in(client).await;
                }
                self.throttle.failed(address, (self.clock)());
                Err(fatal(
                    "28P01",
                    "the password is not one of this server's keys; expected one of `uptally keys add`",
                ))
            }
            _ => Ok(()),
        }
    }
}
