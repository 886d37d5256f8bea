//! Who is let in: everybody where there are no keys, otherwise those whose password is one.
//!
//! The password crosses as it is, over TLS or within this machine alone: a challenge that hides it
//! needs what this server does not keep, the key or a salted hash of it.

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

use super::super::Service;
use super::super::keys::{Denied, Pass};
use super::failure::{SUCCESSFUL, fatal};
use super::messages;
use super::settings;

/// The message by which a client is let in, or not.
const STARTUP: &str = "Startup";

pub struct Startup {
    service: Service,
    /// Those that can be asked to cancel.
    clients: Arc<ConnectionManager>,
    secrets: RandomPidSecretKeyGenerator,
    told: DefaultServerParameterProvider,
}

impl Startup {
    pub fn over(service: Service, clients: Arc<ConnectionManager>) -> Self {
        let mut told = DefaultServerParameterProvider::default();
        told.server_version = settings::SERVER_VERSION.to_owned();
        told.time_zone = settings::TIME_ZONE.to_owned();
        told.is_superuser = false;
        told.default_transaction_read_only = true;
        Self { service, clients, secrets: RandomPidSecretKeyGenerator::default(), told }
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
        messages::begin(&self.service, client, STARTUP).answered(SUCCESSFUL);
        auth::finish_authentication(client, &self.told).await
    }
}

/// Why a statement of a session is not run: its key was removed since it was let in, or has expired.
///
/// # Errors
/// Ends the session.
pub fn still_admitted(service: &Service, client: &impl ClientInfo) -> PgWireResult<()> {
    let pass = client.session_extensions().get::<Pass>();
    let (Some(keys), Some(pass)) = (&service.settings.keys, pass) else { return Ok(()) };
    match keys.readmit(&pass, (service.settings.clock)()) {
        Ok(_) => Ok(()),
        Err(denied) => Err(not_admitted(denied)),
    }
}

fn not_admitted(denied: Denied) -> PgWireError {
    let sentence = match denied {
        Denied::Unknown => {
            "the password is not one of this server's keys; expected one of `uptally keys add`"
                .to_owned()
        }
        Denied::Expired { .. } => denied.to_string(),
    };
    fatal("28P01", sentence)
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
        match (message, &self.service.settings.keys) {
            (PgWireFrontendMessage::Startup(startup), keys) => {
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
                match keys.admit(&password, (self.service.settings.clock)()) {
                    Ok(pass) => {
                        client.session_extensions().insert(pass);
                        self.let_in(client).await
                    }
                    Err(denied) => {
                        let failed = not_admitted(denied);
                        let mut entry = messages::begin(&self.service, client, STARTUP);
                        entry.set_key(denied.key());
                        messages::refused(&mut entry, &failed);
                        Err(failed)
                    }
                }
            }
            _ => Ok(()),
        }
    }
}
