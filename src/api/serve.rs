//! The API's connections, with a limit for everything a client could hold on to.
//!
//! ## Why not `axum::serve`
//! It sets no timer, so a client that connects and says nothing would keep its place for ever.
use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tracing::{debug, warn};

use super::problem::Problem;

/// A request's head must be there this long after the connection or the answer before it. So this is also how long an idle
/// connection is kept: a POS kicks every few minutes, and a new connection costs it nothing.
pub const HEAD_WITHIN: Duration = Duration::from_secs(60);
/// An answer begins within this time, a slow body and a slow disk included; a stream's events come later.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// A request's head; ours are below 1 KB.
const HEAD_LIMIT: usize = 16 << 10;
/// A POS, a page with its event stream, a few scripts and subcommands; more wait until one of these ends.
const CONNECTIONS: usize = 128;
/// After a failure to accept, such as too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Serves until `stop` is done and every connection has had its answer.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_LIMIT);
    let (open, places) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, stream) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = open.watch(connection);
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                debug!(error = %e, "a connection of the API ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    open.shutdown().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(e) = stream.set_nodelay(true) {
                    warn!(error = %e, "a connection of the API stays slow");
                }
                return stream;
            }
            Err(e) => {
                warn!(error = %e, "the API could not accept a connection: it goes on trying");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// The middleware that gives every answer a limit.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await.unwrap_or_else(|_| {
        let detail = "no answer in time; what was asked may still happen: look at it with GET before asking again";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", detail).into_response()
    })
}
