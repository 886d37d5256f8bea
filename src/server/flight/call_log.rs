//! Request log entries of calls that plan a statement, and of rejected calls.

use tonic::{Code, Extensions, Status};

use super::super::Service;
use super::super::audit::Listener;
use super::super::keys::KeyId;
use super::super::request_log::Entry;
use super::connection::Peer;

/// Begins a log entry; the extensions hold the call's connection and key.
pub fn begin(service: &Service, extensions: &Extensions, method: &'static str) -> Entry {
    let client = extensions.get::<Peer>().map(|peer| peer.address);
    let mut entry = Entry::begin(&service.settings, Listener::Flight, client, method);
    entry.set_key(extensions.get::<KeyId>().copied());
    entry
}

/// Name of a gRPC code as in its specification: `INVALID_ARGUMENT`.
pub fn code_name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// Logs the status of a finished call.
pub fn log_answer<T>(entry: &mut Entry, answer: &Result<T, Status>) {
    let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
    entry.answered(code_name(code));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_named_as_in_the_grpc_specification() {
        for (code, expected) in [
            (Code::Ok, "OK"),
            (Code::InvalidArgument, "INVALID_ARGUMENT"),
            (Code::Unauthenticated, "UNAUTHENTICATED"),
        ] {
            assert_eq!(code_name(code), expected);
        }
    }
}
