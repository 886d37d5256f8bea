//! Malicious bytes on the PostgreSQL listener, and the answers to them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use uptally::internals::server::Settings;

use super::postgres::{connect, rows};
use super::{Wired, locked};
use crate::harness::block_on;

const TLS_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";
const STARTUP: &[u8] = b"\0\0\0\x12\0\x03\0\0user\0ann\0\0";
const SYNC: &[u8] = b"S\0\0\0\x04";
const TERMINATE: &[u8] = b"X\0\0\0\x04";

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(4 + body.len()).unwrap();
    [&[kind][..], &length.to_be_bytes()[..], body].concat()
}

/// Messages of a server until it closes the connection.
struct Heard {
    /// Types of its messages, one letter each.
    kinds: String,
    /// The code of its first error.
    code: String,
}

/// Sends all bytes at once, then reads until the server closes.
async fn hear(address: SocketAddr, said: Vec<u8>) -> Heard {
    let heard = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&said).unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap();
        heard
    });
    told(&heard.await.unwrap())
}

fn told(mut bytes: &[u8]) -> Heard {
    let mut heard = Heard { kinds: String::new(), code: String::new() };
    while let Some((kind, rest)) = bytes.split_first() {
        heard.kinds.push(char::from(*kind));
        let (length, _) = rest.split_first_chunk().unwrap();
        let (message, others) = rest.split_at(i32::from_be_bytes(*length) as usize);
        if *kind == b'E' && heard.code.is_empty() {
            let mut fields = message[4..].split(|byte| *byte == 0);
            let code = fields.find_map(|field| field.strip_prefix(b"C")).unwrap();
            heard.code = String::from_utf8(code.to_vec()).unwrap();
        }
        bytes = others;
    }
    heard
}

#[test]
fn malformed_messages_end_their_connection_alone() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        for after_startup in [
            message(b'P', b""),
            message(b'P', b"s\0SELECT 1\0\xff\xff"),
            message(b'B', b"p\0s\0\0"),
            message(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xffabc\0\0"),
            message(b'E', b""),
            message(b'D', b""),
            message(b'C', b"S"),
            message(b'Q', b"SELECT 1"),
            message(b'S', SYNC),
            message(b'F', b"\0\0\0\0"),
            b"d\0\0\0\0".to_vec(),
            b"Q\xff\xff\xff\xff".to_vec(),
            // 600 MiB that nobody waits for.
            b"Q\x25\x80\0\0".to_vec(),
        ] {
            let heard = hear(wired.postgres, [STARTUP, &after_startup, SYNC].concat()).await;
            assert!(heard.kinds.ends_with("ZE"), "{after_startup:?}: {}", heard.kinds);
            assert_eq!(heard.code, "08P01", "{after_startup:?}");
        }
        for first in [
            &b"\0\0\0\0\0\0\0\0"[..],
            b"\0\x10\0\0\0\x03\0\0",
            b"\0\0\0\x08\0\x03\0\0",
            b"\0\0\0\x0c\0\x03\0\0user",
            b"\0\0\0\x0c\x04\xd2\x16\x2e\0\0\0\x01",
            b"GET / HTTP/1.1\r\n\r\n",
        ] {
            let heard = hear(wired.postgres, first.to_vec()).await;
            assert_eq!((heard.kinds.as_str(), heard.code.as_str()), ("E", "08P01"), "{first:?}");
        }
        let (client, _told) = connect(&wired, "").await.unwrap();
        assert_eq!(rows(&client, "SELECT 1").await.unwrap(), ["1"]);
    });
}

#[test]
fn nothing_is_read_before_the_password_and_nothing_after_a_wrong_one() {
    block_on(async {
        let (settings, _key) = locked();
        let wired = Wired::with(settings).await;
        let question = message(b'Q', b"SELECT 1\0");
        let wrong = message(b'p', b"upt_wrong\0");
        for (said, kinds, code) in [
            (question.clone(), "RE", "08P01"),
            (b"Q\x25\x80\0\0".to_vec(), "RE", "08P01"),
            (b"p\0\0\x4e\x20".to_vec(), "RE", "08P01"),
            (message(b'p', b""), "RE", "08P01"),
            ([wrong, question].concat(), "RE", "28P01"),
            (TERMINATE.to_vec(), "R", ""),
        ] {
            let heard = hear(wired.postgres, [STARTUP, &said].concat()).await;
            assert_eq!((heard.kinds.as_str(), heard.code.as_str()), (kinds, code), "{said:?}");
        }
    });
}

#[test]
fn bytes_behind_a_request_for_encryption_are_refused() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        for request in [TLS_REQUEST, GSS_REQUEST] {
            let question = message(b'Q', b"SELECT 1\0");
            for behind in [STARTUP, &question, b"\x16"] {
                let heard = hear(wired.postgres, [request, behind].concat()).await;
                assert_eq!((heard.kinds.as_str(), heard.code.as_str()), ("E", "08P01"));
            }
        }
    });
}

#[test]
fn encryption_that_is_declined_is_done_without() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let address = wired.postgres;
        let heard = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            for request in [GSS_REQUEST, TLS_REQUEST] {
                stream.write_all(request).unwrap();
                let mut answer = [0];
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(answer, *b"N");
            }
            stream.write_all(&[STARTUP, TERMINATE].concat()).unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).unwrap();
            told(&heard)
        });
        assert!(heard.await.unwrap().kinds.ends_with('Z'));
    });
}

#[test]
fn clear_text_is_rejected_before_the_password_if_tls_is_required() {
    block_on(async {
        let (settings, key) = locked();
        let wired = Wired::with(Settings { requires_tls: true, ..settings }).await;
        let password = message(b'p', format!("{key}\0").as_bytes());
        let heard = hear(wired.postgres, [STARTUP, &password].concat()).await;
        assert_eq!((heard.kinds.as_str(), heard.code.as_str()), ("E", "28000"));
    });
}

#[test]
fn a_connection_keeps_a_limited_number_of_statements_and_portals() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let statements = (0..=1000).map(|number| {
            // Name, no text, no types of parameters.
            message(b'P', format!("s{number}\0\0\0\0").as_bytes())
        });
        let statements: Vec<u8> = statements.flatten().collect();
        let deallocate = message(b'Q', b"DEALLOCATE ALL\0");
        let another = message(b'P', b"s\0\0\0\0");
        let said = [STARTUP, &statements, SYNC, &deallocate, &another, TERMINATE].concat();
        let heard = hear(wired.postgres, said).await;
        assert!(heard.kinds.ends_with("1EZCZ1"), "{}", heard.kinds);
        assert_eq!(heard.kinds.matches('1').count(), 1001);
        assert_eq!(heard.code, "53400");

        let statement = message(b'P', b"\0\0\0\0");
        // Name, that of the statement, no formats, no values, no formats.
        let portals =
            (0..=1000).map(|number| message(b'B', format!("p{number}\0\0\0\0\0\0\0\0").as_bytes()));
        let portals: Vec<u8> = portals.flatten().collect();
        let another = message(b'B', b"p\0\0\0\0\0\0\0\0");
        let said = [STARTUP, &statement, &portals, SYNC, &another, TERMINATE].concat();
        let heard = hear(wired.postgres, said).await;
        // Outside of a transaction they end with the synchronisation.
        assert!(heard.kinds.ends_with("2EZ2"), "{}", heard.kinds);
        assert_eq!(heard.code, "53400");
    });
}
