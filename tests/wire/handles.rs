//! Forged Flight SQL handles and bound values, and those of other servers.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow_flight::error::FlightError;
use arrow_flight::utils::batches_to_flight_data;
use arrow_flight::{FlightDescriptor, Ticket};
use bytes::Bytes;
use tonic::Code;
use uptally::internals::server::{Keyring, Role, Settings, key_file};

use super::Wired;
use super::flight::{asked, code, connect, number};
use crate::harness::block_on;

/// A field of a protobuf message that holds bytes.
fn protobuf_field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut left = bytes.len();
    while left >= 0x80 {
        field.push(left as u8 | 0x80);
        left >>= 7;
    }
    field.push(left as u8);
    field.extend_from_slice(bytes);
    field
}

/// `CommandPreparedStatementQuery` as clients send it, with any handle.
fn prepared_command(handle: &[u8]) -> Bytes {
    const TYPE: &str =
        "type.googleapis.com/arrow.flight.protocol.sql.CommandPreparedStatementQuery";
    [protobuf_field(1, TYPE.as_bytes()), protobuf_field(2, &protobuf_field(1, handle))]
        .concat()
        .into()
}

#[test]
fn a_handle_that_the_server_did_not_make_is_refused() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let mut client = connect(&wired).await;
        // A statement of eight bytes, then a message of IPC that claims 2^31 - 1 bytes of metadata.
        let forged = [&8u64.to_le_bytes()[..], b"SELECT 1", &[0xff; 4], &[0xff, 0xff, 0xff, 0x7f]];
        for handle in [&b""[..], b"x", &[0xff; 305], &forged.concat()[..], &vec![0; 2 << 20][..]] {
            let ticket = Ticket::new(prepared_command(handle));
            let error = client.do_get(ticket).await.map(drop).unwrap_err();
            assert_eq!(code(&error), Code::InvalidArgument, "{error}");
            assert!(error.to_string().contains("prepare the statement again"), "{error}");
        }
        assert_eq!(number(&asked(&mut client, "SELECT 1").await.unwrap()), 1);
        wired.stop().await;
    });
}

#[test]
fn values_that_claim_more_than_they_have_are_refused() {
    block_on(async {
        let wired = Wired::with(Settings::default()).await;
        let mut client = connect(&wired).await;
        let mut prepared = client.prepare("SELECT 1".to_owned(), None).await.unwrap();
        // A ticket is the command with the handle.
        let ticket = prepared.execute().await.unwrap().endpoint[0].ticket.clone().unwrap();
        let values = Arc::new(Int64Array::from(vec![7])) as _;
        let values = RecordBatch::try_from_iter([("$1", values)]).unwrap();
        let honest = batches_to_flight_data(&values.schema(), vec![values]).unwrap();
        let buffers_at = {
            let header = &honest[1].data_header;
            let message = arrow::ipc::root_as_message(header).unwrap();
            let buffers = message.header_as_record_batch().unwrap().buffers().unwrap();
            buffers.bytes().as_ptr() as usize - header.as_ptr() as usize
        };
        for claimed in [None, Some(1 << 62), Some(-1), Some(4096)] {
            let mut sent = honest.clone();
            sent[0].flight_descriptor = Some(FlightDescriptor::new_cmd(ticket.ticket.clone()));
            if let Some(claimed) = claimed {
                // The length of the second buffer; each is an offset and a length.
                let mut header = sent[1].data_header.to_vec();
                header[buffers_at + 24..][..8].copy_from_slice(&i64::to_le_bytes(claimed));
                sent[1].data_header = header.into();
            }
            let answer = async {
                let mut answers = client.do_put(futures::stream::iter(sent)).await?;
                Ok::<_, FlightError>(answers.message().await?)
            };
            match (claimed, answer.await) {
                (None, answer) => assert!(answer.unwrap().is_some()),
                (Some(_), answer) => {
                    let error = answer.unwrap_err();
                    assert_eq!(code(&error), Code::InvalidArgument, "{error}");
                }
            }
        }
        wired.stop().await;
    });
}

#[test]
fn a_handle_of_another_server_is_refused() {
    block_on(async {
        let (first, second) =
            (Wired::with(Settings::default()).await, Wired::with(Settings::default()).await);
        let mut prepared =
            connect(&first).await.prepare("SELECT 1".to_owned(), None).await.unwrap();
        let ticket = prepared.execute().await.unwrap().endpoint[0].ticket.clone().unwrap();
        let error = connect(&second).await.do_get(ticket).await.map(drop).unwrap_err();
        assert_eq!(code(&error), Code::InvalidArgument, "{error}");
    });
}

#[test]
fn a_handle_of_another_server_with_the_same_keys_is_accepted() {
    block_on(async {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("keys");
        let key = key_file::add(&path, Role::Read, None, "").unwrap().secret;
        let settings =
            || Settings { keys: Some(Keyring::open(&path).unwrap()), ..Settings::default() };
        let (first, second) = (Wired::with(settings()).await, Wired::with(settings()).await);
        let mut clients = Vec::new();
        for wired in [&first, &second] {
            let mut client = connect(wired).await;
            client.set_token(key.clone());
            clients.push(client);
        }
        let mut prepared = clients[0].prepare("SELECT 1".to_owned(), None).await.unwrap();
        let ticket = prepared.execute().await.unwrap().endpoint[0].ticket.clone().unwrap();
        assert!(clients[1].do_get(ticket).await.is_ok());
    });
}
