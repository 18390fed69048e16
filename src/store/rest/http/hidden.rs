//! What the HTTP libraries know of a fault and keep to themselves: their types for it
//! are private, and only their words tell one from the other. They are read here and
//! nowhere else; the tests have the libraries themselves make these faults, so that
//! other words do not go unnoticed.

use std::error::Error;

use crate::store::{ConnectionFault, ProxyFault};

/// What is wrong with an answer as HTTP. `hyper` says whether it could be parsed, and
/// not what of it could not.
pub(super) fn http(error: &hyper::Error) -> Option<ConnectionFault> {
    let words = error.to_string();
    let known = match words.as_str() {
        "message head is too large" => ConnectionFault::HeadTooLarge,
        "invalid content-length parsed" => ConnectionFault::ImpossibleLength,
        "unexpected transfer-encoding parsed" => ConnectionFault::ImpossibleForm,
        "received unexpected message from connection" => ConnectionFault::Unasked,
        _ if error.is_parse() => ConnectionFault::NotHttp,
        _ => return None,
    };
    Some(known)
}

/// Why a proxy did not pass a connection on, where this is the error of `hyper_util`
/// that says so; that one's type cannot even be named.
pub(super) fn tunnel(error: &(dyn Error + 'static)) -> Option<ProxyFault> {
    let words = error.to_string();
    match words.strip_prefix("tunnel error: ")? {
        "proxy authorization required" => Some(ProxyFault::WantsLogin),
        "unsuccessful" => Some(ProxyFault::Refuses),
        // It was not even reached, of which its causes tell more.
        _ if error.source().is_some() => None,
        _ => Some(ProxyFault::NotAProxy),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use hyper::body::Incoming;
    use hyper::rt::{Read, ReadBufCursor, Write};

    use super::*;

    /// A server that answers before it is asked.
    struct Hasty;

    impl Read for Hasty {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            mut buffer: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            buffer.put_slice(b"HTTP/1.1 200 OK\r\n\r\n");
            Poll::Ready(Ok(()))
        }
    }

    impl Write for Hasty {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_comes_before_it_was_asked_for_is_told_as_such() {
        let mut context = Context::from_waker(Waker::noop());
        let mut handshake = Box::pin(hyper::client::conn::http1::handshake::<_, Incoming>(Hasty));
        let Poll::Ready(Ok((_sender, connection))) = handshake.as_mut().poll(&mut context) else {
            panic!("it waits for nothing");
        };
        let Poll::Ready(Err(error)) = Box::pin(connection).as_mut().poll(&mut context) else {
            panic!("there is an answer already");
        };
        assert_eq!(http(&error), Some(ConnectionFault::Unasked));
    }
}
