//! Admission of sessions by their keys.

use datafusion_postgres::pgwire::api::ClientInfo;
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};

use super::super::Service;
use super::super::keys::{Denied, Pass};
use super::failure::fatal;

/// Checks that the session's key is still valid.
///
/// # Errors
/// When the key was removed or has expired since the login; the error ends the session.
pub fn check_admission(service: &Service, client: &impl ClientInfo) -> PgWireResult<()> {
    let pass = client.session_extensions().get::<Pass>();
    let (Some(keys), Some(pass)) = (&service.settings.keys, pass) else { return Ok(()) };
    match keys.readmit(&pass, (service.settings.clock)()) {
        Ok(_) => Ok(()),
        Err(denied) => Err(denied_error(denied)),
    }
}

/// Error that ends a session whose key was refused.
pub fn denied_error(denied: Denied) -> PgWireError {
    let sentence = match denied {
        Denied::Unknown => {
            "the password is not a key of this server; create one with `uptally keys add`"
                .to_owned()
        }
        Denied::Expired { .. } => denied.to_string(),
    };
    fatal("28P01", sentence)
}
