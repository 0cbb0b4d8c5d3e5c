//! The typed schema of the stand-in: names, arguments and nullability as Shopify publishes them for 2026-04.
//! `tests/schema.rs` holds it against the published one.
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_graphql::{Context, EmptySubscription, Error, ErrorExtensions, ID, Schema};

use super::Shared;
use super::store::{Session, Store, number_in};

mod activity;
mod connection;
mod drawer;
mod money;
mod mutation;
mod query;
mod reason;
mod session;
mod shop;

pub use money::CurrencyCode;

pub type AdminSchema = Schema<query::QueryRoot, mutation::Mutation, EmptySubscription>;

/// Builds it; what a request needs is handed over with the request.
pub fn build() -> AdminSchema {
    Schema::build(query::QueryRoot, mutation::Mutation, EmptySubscription).finish()
}

/// What one request is to see, and what it leaves behind.
#[derive(Default)]
pub struct Scope {
    /// Sessions and lines younger than this do not show in reads.
    pub lag: Option<Duration>,
    /// Sessions show another amount than was counted.
    pub wrong_amount: bool,
    /// Mutations are refused.
    pub refuse: bool,
    /// A mutation has changed something.
    pub changed: AtomicBool,
    /// Entries for `extensions.search`.
    pub search: Mutex<Vec<serde_json::Value>>,
}

fn shared<'a>(ctx: &'a Context<'_>) -> &'a Shared {
    ctx.data_unchecked::<Arc<Shared>>()
}

fn scope<'a>(ctx: &'a Context<'_>) -> &'a Scope {
    ctx.data_unchecked::<Arc<Scope>>()
}

/// The sessions this request can see, with the lines of theirs that it can see.
fn visible(ctx: &Context<'_>, store: &Store) -> Vec<Session> {
    let lag = scope(ctx).lag.unwrap_or_default();
    let mut seen: Vec<Session> = store.sessions.iter().filter(|one| one.created.elapsed() >= lag).cloned().collect();
    for session in &mut seen {
        session.lines.retain(|line| line.created.elapsed() >= lag);
    }
    seen
}

/// The number in an id of that type; an id of another type is an error of its own, not a "not found".
/// Source: fact sheet of the Admin API, "Limits, errors, retrying" (recorded `RESOURCE_NOT_FOUND`).
fn number(id: &ID, kind: &str) -> Result<u64, Error> {
    number_in(id, kind).ok_or_else(|| {
        Error::new(format!("Invalid id: {}", id.as_str()))
            .extend_with(|_, extensions| extensions.set("code", "RESOURCE_NOT_FOUND"))
    })
}
