//! The local HTTP API: for the POS next to it, for scripts, and for this program's own subcommands.
//!
//! ## Why the checks stand before the routes
//! A web page on the same PC can send requests to loopback. Nothing is looked at, not even whether a path exists, before
//! `Host`, `Origin` and the token are right ([`guard`]).
pub mod body;
mod evidence;
mod extract;
pub mod guard;
pub mod metrics;
pub mod problem;
mod resolution;
mod routes;
pub mod serve;
mod stream;
pub mod token;

use std::{collections::BTreeMap, sync::Arc};

use axum::{Router, middleware};
use tokio::sync::watch;

pub use self::stream::row_json;
use crate::daemon::{desk::TillHandle, recorder::Recorder};

/// What the routes reach.
#[derive(Debug)]
pub struct Doors {
    /// The tills by name.
    pub tills: BTreeMap<String, TillHandle>,
    /// The journal.
    pub recorder: Recorder,
    /// The API's own token.
    pub token: token::ApiToken,
    /// Origins whose pages may call.
    pub allowed_origins: Vec<String>,
    /// Becomes true when the daemon stops: event streams end.
    pub stop: watch::Receiver<bool>,
}

/// The whole API.
pub fn router(doors: Doors) -> Router {
    let doors = Arc::new(doors);
    routes::all()
        .layer(middleware::from_fn(serve::in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&doors), guard::check))
        .with_state(doors)
}
