//! Negotiation of encryption before the startup message: SSLRequest, GSSENCRequest, direct TLS.
//!
//! Requests are read without buffering ahead: plain-text bytes injected after a request stay in the
//! socket and fail the TLS handshake, instead of passing for a message that came over TLS.

use std::io::{Error, ErrorKind};

use bytes::BytesMut;
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::tokio::server::MaybeTls;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::ALPN;
use super::checked_stream::hang_up;
use super::frames::{CODE_BYTES, LENGTH_BYTES, Malformed, untyped_length};

const TLS_CODE: i32 = 80_877_103;
const GSS_CODE: i32 = 80_877_104;
/// First byte of a TLS handshake; no message begins with it.
const TLS_RECORD: u8 = 0x16;
const ACCEPTED: &[u8] = b"S";
const DECLINED: &[u8] = b"N";

/// Stream at its startup message, of which the bytes in `read` were already taken.
pub struct Negotiated {
    pub stream: MaybeTls,
    pub is_secure: bool,
    pub read: Vec<u8>,
}

/// Negotiates encryption; `None` if the client was rejected with an error message.
///
/// # Errors
/// When the client disconnects, or the handshake fails.
pub async fn negotiate(
    mut stream: TcpStream,
    tls: Option<&TlsAcceptor>,
) -> std::io::Result<Option<Negotiated>> {
    if is_tls_record(&stream).await? {
        let Some(tls) = tls else {
            return Err(Error::new(ErrorKind::InvalidData, "TLS without a certificate"));
        };
        return tls_handshake(tls, stream, true).await.map(Some);
    }
    let mut requested = Vec::new();
    loop {
        let request = match read_request(&stream, &requested).await {
            Ok(request) => request?,
            Err(malformed) => {
                refuse(&mut stream, malformed).await?;
                return Ok(None);
            }
        };
        match (request, tls) {
            (Request::Startup(read), _) => {
                let stream = MaybeTls::Plain(stream);
                return Ok(Some(Negotiated { stream, is_secure: false, read }));
            }
            (Request::Encryption(TLS_CODE), Some(tls)) => {
                write(&stream, ACCEPTED).await?;
                return tls_handshake(tls, stream, false).await.map(Some);
            }
            (Request::Encryption(code), _) => {
                write(&stream, DECLINED).await?;
                requested.push(code);
            }
        }
    }
}

enum Request {
    /// Request with this code.
    Encryption(i32),
    /// No request; holds the first bytes of the startup message.
    Startup(Vec<u8>),
}

type Read<T> = Result<std::io::Result<T>, Malformed>;

/// Reads the next request. A repeated request is taken for a startup message, which it is not.
async fn read_request(stream: &TcpStream, requested: &[i32]) -> Read<Request> {
    let (mut length, mut code) = ([0; LENGTH_BYTES], [0; CODE_BYTES - LENGTH_BYTES]);
    if let Err(error) = read_exact(stream, &mut length).await {
        return Ok(Err(error));
    }
    let length_bytes = untyped_length(length)?;
    if let Err(error) = read_exact(stream, &mut code).await {
        return Ok(Err(error));
    }
    let read = [length, code].concat();
    let code = i32::from_be_bytes(code);
    if !matches!(code, TLS_CODE | GSS_CODE) || requested.contains(&code) {
        return Ok(Ok(Request::Startup(read)));
    }
    if length_bytes != CODE_BYTES || stream.try_read(&mut [0]).is_ok_and(|bytes| bytes > 0) {
        let sentence =
            "bytes follow an encryption request; wait for the answer before sending more";
        return Err(Malformed(sentence.into()));
    }
    Ok(Ok(Request::Encryption(code)))
}

async fn is_tls_record(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0];
    let bytes = stream.peek(&mut first).await?;
    Ok(bytes > 0 && first[0] == TLS_RECORD)
}

/// Completes a TLS handshake. Direct TLS requires ALPN.
async fn tls_handshake(
    tls: &TlsAcceptor,
    stream: TcpStream,
    must_name_protocol: bool,
) -> std::io::Result<Negotiated> {
    let stream = tls.accept(stream).await?;
    let named = stream.get_ref().1.alpn_protocol();
    if must_name_protocol && named != Some(ALPN) {
        return Err(Error::new(ErrorKind::InvalidData, "TLS for another protocol"));
    }
    let stream = MaybeTls::Tls(Box::new(stream));
    Ok(Negotiated { stream, is_secure: true, read: Vec::new() })
}

async fn refuse(stream: &mut TcpStream, malformed: Malformed) -> std::io::Result<()> {
    let info = ErrorInfo::from(PgWireError::from(malformed));
    let mut bytes = BytesMut::new();
    PgWireBackendMessage::ErrorResponse(info.into()).encode(&mut bytes)?;
    write(stream, &bytes).await?;
    hang_up(stream).await;
    Ok(())
}

async fn read_exact(stream: &TcpStream, mut bytes: &mut [u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        stream.readable().await?;
        match stream.try_read(bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => bytes = &mut bytes[read..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::net::TcpListener;

    use super::super::super::tls::acceptor;
    use super::*;

    /// Negotiates with a client that sends `said` once its TLS request was accepted.
    async fn negotiated_with(said: &[u8]) -> std::io::Result<Option<Negotiated>> {
        let pem = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/tls");
        let tls = acceptor(&pem.join("certificate.pem"), &pem.join("key.pem")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let talked = async {
            let request = [8i32.to_be_bytes(), TLS_CODE.to_be_bytes()].concat();
            write(&client, &request).await.unwrap();
            let mut answer = [0];
            read_exact(&client, &mut answer).await.unwrap();
            assert_eq!(answer, ACCEPTED);
            write(&client, said).await.unwrap();
        };
        let (negotiated, ()) = tokio::join!(negotiate(stream, Some(&tls)), talked);
        negotiated
    }

    #[tokio::test]
    async fn clear_text_behind_an_accepted_request_is_part_of_the_handshake() {
        let startup = b"\0\0\0\x12\0\x03\0\0user\0ann\0\0";
        assert!(negotiated_with(startup).await.is_err());
    }
}
