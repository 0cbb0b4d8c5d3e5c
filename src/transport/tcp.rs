//! TCP 9100: a connection that notices when its peer is gone.
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
/// Sent bytes that no one acknowledges for this long end the connection: the host is off or the cable is out.
/// A printer that is merely full still acknowledges the kernel's window probes.
const UNACKNOWLEDGED_MS: u32 = 10_000;

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
        sockopt::set_tcp_keepcnt(&stream, KEEPALIVE_TRIES)?;
        sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED_MS)
    };
    set().map_err(|cause| LinkError::Other { port: port(), doing: "being set up", cause: cause.to_string() })?;
    Ok(stream)
}
