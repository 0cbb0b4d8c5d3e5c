//! TCP 9100: a connection that notices when its peer is gone.
//!
//! ## Why no TCP_USER_TIMEOUT
//! It also ends a connection whose peer is alive and merely full: a printer without paper that keeps its window shut, though
//! it answers every probe of the kernel, was cut off after that time, and the slip in its buffer with it. A peer that is gone
//! is noticed without: an idle one by keepalive, and one that leaves questions unanswered by the driver.
use std::{io, time::Duration};

use rustix::net::sockopt;
use tokio::net::TcpStream;

use super::LinkError;

/// A network board that is up answers in milliseconds; one that starts up needs up to 15 s and is tried again anyway.
const CONNECT_WITHIN: Duration = Duration::from_secs(4);
/// A silent peer is asked after this long, then every `KEEPALIVE_EVERY`, and given up after `KEEPALIVE_TRIES`.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(20);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
const KEEPALIVE_TRIES: u32 = 3;

/// Connects to `host:port`.
pub(super) async fn open(address: &str) -> Result<TcpStream, LinkError> {
    let port = || address.to_owned();
    let unreachable = |cause: String| LinkError::Unreachable { port: port(), cause };
    let stream = match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
        Err(_elapsed) => return Err(unreachable("no answer".to_owned())),
        Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => return Err(LinkError::Refused { port: port() }),
        Ok(Err(e)) => return Err(unreachable(e.to_string())),
        Ok(Ok(stream)) => stream,
    };
    let set = || -> rustix::io::Result<()> {
        sockopt::set_tcp_nodelay(&stream, true)?;
        sockopt::set_socket_keepalive(&stream, true)?;
        sockopt::set_tcp_keepidle(&stream, KEEPALIVE_AFTER)?;
        sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_EVERY)?;
        sockopt::set_tcp_keepcnt(&stream, KEEPALIVE_TRIES)
    };
    set().map_err(|cause| LinkError::Other { port: port(), doing: "being set up", cause: cause.to_string() })?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_printer_that_is_merely_full_is_not_cut_off_and_one_that_is_gone_is() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = open(&listener.local_addr().unwrap().to_string()).await.unwrap();
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 0, "no limit for a window that stays shut");
        assert!(sockopt::socket_keepalive(&stream).unwrap());
    }
}
