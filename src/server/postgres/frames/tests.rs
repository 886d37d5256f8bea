use bytes::BytesMut;
use datafusion_postgres::pgwire::messages::{
    DecodeContext, PgWireFrontendMessage, ProtocolVersion,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

const BODY_BYTES_MAX: usize = 40;

fn typed(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(LENGTH_BYTES + body.len()).unwrap();
    [&[kind][..], &length.to_be_bytes()[..], body].concat()
}

fn untyped(body: &[u8]) -> Vec<u8> {
    typed(0, body).split_off(1)
}

/// Valid messages of every type, with their variants.
fn valid() -> Vec<(Phase, Vec<u8>)> {
    let in_session = [
        typed(b'Q', b"SELECT 1\0"),
        typed(b'Q', b"\0"),
        typed(b'P', b"s1\0SELECT $1, $2\0\0\x02\0\0\0\x17\0\0\0\x19"),
        typed(b'P', b"\0\0\0\0"),
        typed(b'B', b"p1\0s1\0\0\x01\0\x01\0\x02\0\0\0\x03abc\xff\xff\xff\xff\0\x02\0\0\0\x01"),
        typed(b'B', b"\0\0\0\0\0\0\0\0"),
        typed(b'E', b"p1\0\0\0\0\x05"),
        typed(b'E', b"\0\0\0\0\0"),
        typed(b'D', b"Ss1\0"),
        typed(b'D', b"P\0"),
        typed(b'C', b"Pp1\0"),
        typed(b'C', b"S\0"),
        typed(b'H', b""),
        typed(b'S', b""),
        typed(b'X', b""),
        typed(b'p', b"secret\0"),
        typed(b'd', b"1\t2\n"),
        typed(b'd', b""),
        typed(b'c', b""),
        typed(b'f', b"enough\0"),
    ];
    let at_startup = [
        untyped(b"\0\x03\0\0\0"),
        untyped(b"\0\x03\0\x02user\0ann\0options\0\0\0"),
        untyped(b"\x04\xd2\x16\x2e\0\0\0\x07abcd"),
        untyped(&[&b"\x04\xd2\x16\x2e\0\0\0\x07"[..], &[1; 256]].concat()),
    ];
    let before_the_password = [typed(b'p', b"\0"), typed(b'p', b"upt_1\0"), typed(b'X', b"")];
    let in_phase = |phase| move |message| (phase, message);
    let in_session = in_session.into_iter().map(in_phase(Phase::Session));
    let at_startup = at_startup.into_iter().map(in_phase(Phase::Startup));
    let before_the_password = before_the_password.into_iter().map(in_phase(Phase::Password));
    in_session.chain(at_startup).chain(before_the_password).collect()
}

/// Decodes a whole message with pgwire.
#[track_caller]
fn decode(phase: Phase, message: &[u8]) {
    let mut context = DecodeContext::new(ProtocolVersion::default());
    context.awaiting_frontend_ssl = false;
    context.awaiting_frontend_startup = phase == Phase::Startup;
    let mut left = BytesMut::from(message);
    let decoded = PgWireFrontendMessage::decode(&mut left, &context).unwrap().unwrap();
    assert!(left.is_empty(), "{message:?} is not read to its end");
    if let PgWireFrontendMessage::PasswordMessageFamily(password) = decoded {
        password.into_password().unwrap();
    }
}

#[test]
fn valid_messages_are_let_through_once_they_are_whole() {
    for (phase, message) in valid() {
        for bytes in 0..message.len() {
            let part = &message[..bytes];
            assert_eq!(first_message(phase, part, BODY_BYTES_MAX), Ok(None), "{part:?}");
        }
        let pipelined = [&message[..], b"\0\xff"].concat();
        let found = first_message(phase, &pipelined, BODY_BYTES_MAX);
        assert_eq!(found, Ok(Some(message.len())), "{message:?}");
        decode(phase, &message);
    }
}

#[track_caller]
fn is_refused(phase: Phase, message: &[u8], expected: &str) {
    match first_message(phase, message, BODY_BYTES_MAX) {
        Err(Malformed(sentence)) => assert!(sentence.contains(expected), "{sentence}"),
        found => panic!("{message:?} is not refused: {found:?}"),
    }
}

#[test]
fn a_body_that_is_not_what_its_type_asks_for_is_refused() {
    for (kind, body) in [
        (b'Q', &b""[..]),
        (b'Q', b"SELECT 1"),
        (b'Q', b"SELECT 1\0;"),
        (b'P', b""),
        (b'P', b"s\0"),
        (b'P', b"s\0SELECT 1\0"),
        (b'P', b"s\0SELECT 1\0\0"),
        (b'P', b"s\0SELECT 1\0\0\x01\0\0\0"),
        (b'P', b"s\0SELECT 1\0\xff\xff"),
        (b'P', b"s\0SELECT 1\0\0\0\0"),
        (b'B', b""),
        (b'B', b"p\0s\0\0"),
        (b'B', b"p\0s\0\xff\xff\0\0\0\0"),
        (b'B', b"p\0s\0\0\x01\0\x02\0\0\0\0"),
        (b'B', b"p\0s\0\0\0\xff\xff\0\0"),
        (b'B', b"p\0s\0\0\0\0\x01\0\0\0\x04abc"),
        (b'B', b"p\0s\0\0\0\0\x01\x7f\xff\xff\xffabc\0\0"),
        (b'B', b"p\0s\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
        (b'B', b"p\0s\0\0\0\0\0\0\x01"),
        (b'B', b"p\0s\0\0\0\0\0\0\0\0"),
        (b'E', b""),
        (b'E', b"p\0\0\0\0"),
        (b'E', b"p\0\0\0\0\x01\0"),
        (b'D', b""),
        (b'D', b"S"),
        (b'D', b"Ss"),
        (b'D', b"xs\0"),
        (b'C', b""),
        (b'C', b"Ps\0\0"),
        (b'H', b"\0"),
        (b'S', b"Q\0\0\0\x04"),
        (b'X', b"\0"),
        (b'c', b"\0"),
        (b'f', b""),
        (b'p', b""),
        (b'p', b"upt_1"),
        (b'p', b"upt_1\0\0"),
    ] {
        is_refused(Phase::Session, &typed(kind, body), "is malformed");
    }
}

#[test]
fn a_length_is_refused_before_its_body_has_come() {
    let headed = |kind: u8, length: i32| [&[kind][..], &length.to_be_bytes()[..]].concat();
    for kind in *b"QPBEDCHSXpdcf" {
        for length in [i32::MIN, -1, 0, 3] {
            is_refused(Phase::Session, &headed(kind, length), "shorter than its length field");
        }
        is_refused(Phase::Session, &headed(kind, i32::MAX), "bytes, and");
    }
    is_refused(Phase::Session, &headed(b'Q', 45), "has 41 bytes, and --max-body is 40");
    assert_eq!(first_message(Phase::Session, &headed(b'Q', 44), BODY_BYTES_MAX), Ok(None));
    is_refused(Phase::Session, &headed(b'd', 10_005), "and the limit is 10000");
    is_refused(Phase::Password, &headed(b'p', 10_005), "and the limit is 10000");
    for length in [i32::MIN, -1, 0, 7, 10_001, i32::MAX] {
        is_refused(Phase::Startup, &length.to_be_bytes(), "an invalid length");
    }
}

#[test]
fn a_message_that_may_not_come_is_refused_by_its_type() {
    for kind in *b"QPBEDCHSdcf" {
        is_refused(Phase::Password, &[kind], "expected a password");
    }
    for kind in *b"FKs\0\x16\xff" {
        is_refused(Phase::Session, &[kind], "unknown message type");
    }
}

#[test]
fn a_startup_message_ends_where_it_says() {
    for body in [
        &b"\0\x03\0\0"[..],
        b"\0\x03\0\0user\0ann\0",
        b"\0\x03\0\0user\0ann",
        b"\0\x03\0\0user\0\0user",
        b"\0\x03\0\0\0Q\0\0\0\x05\0",
        b"\x04\xd2\x16\x2e\0\0",
        b"\x04\xd2\x16\x2e\0\0\0\x07abc",
    ] {
        is_refused(Phase::Startup, &untyped(body), "the startup message is malformed");
    }
    let long = [&b"\x04\xd2\x16\x2e\0\0\0\x07"[..], &[1; 257]].concat();
    is_refused(Phase::Startup, &untyped(&long), "the startup message is malformed");
    is_refused(Phase::Startup, &untyped(b"\0\x02\0\0\0"), "protocol 2.0 is not supported");
    // Encryption requests are handled before, by `negotiation`.
    is_refused(
        Phase::Startup,
        &untyped(b"\x04\xd2\x16\x2f"),
        "protocol 1234.5679 is not supported",
    );
}

/// Bytes that act as terminators, counts and lengths.
fn telling_bytes() -> impl Strategy<Value = u8> {
    prop_oneof![select(vec![0u8, 1, 2, 4, 8, 0x7f, 0xff]), any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn valid_messages_are_decoded_completely(
        (phase, message) in select(valid()),
        changes in vec((any::<Index>(), telling_bytes()), 0..4),
        inserted in vec(telling_bytes(), 0..4),
        at in any::<Index>(),
        removed in 0..4usize,
        keeps_length in any::<bool>(),
    ) {
        let mut changed = message;
        let at = at.index(changed.len());
        let end = (at + removed).min(changed.len());
        drop(changed.splice(at..end, inserted));
        for (index, byte) in changes {
            if !changed.is_empty() {
                let index = index.index(changed.len());
                changed[index] = byte;
            }
        }
        // With a corrected length, validation reaches the rest of the message.
        let head = usize::from(phase != Phase::Startup);
        if !keeps_length && changed.len() >= head + LENGTH_BYTES {
            let length = i32::try_from(changed.len() - head).unwrap();
            changed[head..head + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
        }
        if let Ok(Some(bytes)) = first_message(phase, &changed, BODY_BYTES_MAX) {
            decode(phase, &changed[..bytes]);
        }
    }
}
