//! Calls as they are logged: those that plan a statement, and those that no key lets pass.

use tonic::{Code, Extensions, Status};

use super::super::Service;
use super::super::audit::Listener;
use super::super::keys::KeyId;
use super::super::request_log::Entry;
use super::connection::Peer;

/// A call with its extensions, by which its connection and its key are known.
pub fn begin(service: &Service, extensions: &Extensions, method: &'static str) -> Entry {
    let client = extensions.get::<Peer>().map(|peer| peer.address);
    let mut entry = Entry::begin(&service.settings, Listener::Flight, client, method);
    entry.set_key(extensions.get::<KeyId>().copied());
    entry
}

/// The name of a code as documents of gRPC write it: `INVALID_ARGUMENT`.
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

/// Notes how a call went whose answer is known.
pub fn log_answer<T>(entry: &mut Entry, answer: &Result<T, Status>) {
    let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
    entry.answered(code_name(code));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_named_as_documents_write_it() {
        for (code, expected) in [
            (Code::Ok, "OK"),
            (Code::InvalidArgument, "INVALID_ARGUMENT"),
            (Code::Unauthenticated, "UNAUTHENTICATED"),
        ] {
            assert_eq!(code_name(code), expected);
        }
    }
}
