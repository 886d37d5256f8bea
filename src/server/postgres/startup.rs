//! Startup and authentication: the password is an API key. Without keys, everyone is accepted.
//!
//! Passwords are sent in clear text, so only over TLS or loopback. SCRAM is not possible, because
//! the server stores neither keys nor salted hashes of them. Wrong passwords are delayed.

use std::fmt::Debug;
use std::net::IpAddr;
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
use super::super::connection_permits::Full;
use super::super::keyring::Keyring;
use super::super::keys::{Denied, Pass};
use super::super::request_log::Entry;
use super::admission::denied_error;
use super::failure::{SUCCESSFUL, fatal};
use super::message_log;
use super::settings;
use super::throttle::Throttle;

/// Name of the startup exchange in the request log.
const STARTUP: &str = "Startup";

pub struct Startup {
    service: Service,
    throttle: Throttle,
    /// Clients whose queries a cancel request can reach.
    clients: Arc<ConnectionManager>,
    secrets: RandomPidSecretKeyGenerator,
    parameters: DefaultServerParameterProvider,
}

impl Startup {
    pub fn new(service: Service, clients: Arc<ConnectionManager>) -> Self {
        let mut parameters = DefaultServerParameterProvider::default();
        parameters.server_version = settings::SERVER_VERSION.to_owned();
        parameters.time_zone = settings::TIME_ZONE.to_owned();
        parameters.is_superuser = false;
        parameters.default_transaction_read_only = true;
        Self {
            service,
            throttle: Throttle::default(),
            clients,
            secrets: RandomPidSecretKeyGenerator::default(),
            parameters,
        }
    }

    /// Authenticates by password.
    ///
    /// # Errors
    /// When it is not a key or the key has expired; delayed after earlier failures from the same
    /// network.
    async fn admit(&self, keys: &Keyring, password: &str, address: IpAddr) -> Result<Pass, Denied> {
        let now = (self.service.settings.clock)();
        let admitted = keys.admit(password, now);
        if admitted.is_err() {
            let delay = self.throttle.delay(address, now);
            self.throttle.failed(address, now);
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
        }
        admitted
    }

    /// # Errors
    /// When the connection is not encrypted although TLS is required, or a key would be sent.
    fn check_encryption(&self, client: &impl ClientInfo) -> PgWireResult<()> {
        let settings = &self.service.settings;
        if client.is_secure() {
            return Ok(());
        }
        let sentence = if settings.requires_tls {
            "this server requires TLS (--require-tls); connect with sslmode=require"
        } else if settings.keys.is_some() && !client.socket_addr().ip().is_loopback() {
            "the key would be sent unencrypted; connect with sslmode=require"
        } else {
            return Ok(());
        };
        self.refuse(client, fatal("28000", sentence))
    }

    /// # Errors
    /// When the connection limit is reached (53300).
    fn check_place(&self, client: &impl ClientInfo) -> PgWireResult<()> {
        match client.session_extensions().get::<Full>() {
            Some(full) => self.refuse(client, fatal("53300", full.sentence())),
            None => Ok(()),
        }
    }

    fn refuse(&self, client: &impl ClientInfo, failed: PgWireError) -> PgWireResult<()> {
        message_log::log_failure(&mut message_log::begin(&self.service, client, STARTUP), &failed);
        Err(failed)
    }

    async fn accept<C>(&self, client: &mut C, mut entry: Entry) -> PgWireResult<()>
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
        entry.answered(SUCCESSFUL);
        // Logged before the client learns that it is accepted.
        drop(entry);
        auth::finish_authentication(client, &self.parameters).await
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
        match (message, &self.service.settings.keys) {
            (PgWireFrontendMessage::Startup(startup), keys) => {
                self.check_encryption(client)?;
                self.check_place(client)?;
                auth::protocol_negotiation(client, &startup).await?;
                auth::save_startup_parameters_to_metadata(client, &startup);
                if keys.is_none() {
                    let entry = message_log::begin(&self.service, client, STARTUP);
                    return self.accept(client, entry).await;
                }
                client.set_state(PgWireConnectionState::AuthenticationInProgress);
                let ask = Authentication::CleartextPassword;
                client.send(PgWireBackendMessage::Authentication(ask)).await?;
                Ok(())
            }
            (PgWireFrontendMessage::PasswordMessageFamily(password), Some(keys)) => {
                let password = password.into_password()?.password;
                // Begun before the delay, so that a client that gives up is logged too.
                let mut entry = message_log::begin(&self.service, client, STARTUP);
                match self.admit(keys, &password, client.socket_addr().ip()).await {
                    Ok(pass) => {
                        entry.set_key(Some(pass.key()));
                        client.session_extensions().insert(pass);
                        self.accept(client, entry).await
                    }
                    Err(denied) => {
                        let failed = denied_error(denied);
                        entry.set_key(denied.key());
                        message_log::log_failure(&mut entry, &failed);
                        Err(failed)
                    }
                }
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::super::super::key_file;
    use super::super::super::keys::Role;
    use super::super::super::settings::Settings;
    use super::*;

    #[tokio::test]
    async fn wrong_passwords_wait_and_right_ones_of_the_same_network_do_not() {
        let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join("keys");
        let right = key_file::add(&path, Role::Read, None, "").unwrap().secret;
        let keys = Keyring::open(&path).unwrap();
        // A clock that stands still.
        let settings = Settings { clock: || 0, ..Settings::default() };
        let service = Service::open(data.path().to_owned(), settings).unwrap();
        let startup = Startup::new(service.clone(), Arc::new(ConnectionManager::new()));
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut waiting = 0;
        for _ in 0..5 {
            match startup.admit(&keys, "wrong", address).now_or_never() {
                Some(admitted) => assert!(admitted.is_err()),
                None => waiting += 1,
            }
        }
        assert_eq!(waiting, 2);
        assert!(startup.admit(&keys, &right, address).now_or_never().unwrap().is_ok());
        service.close();
    }
}
