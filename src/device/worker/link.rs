//! Tells the till how a link is, each state once.
use tokio::sync::mpsc;

use crate::{
    device::{DeviceEvent, Link},
    transport::LinkError,
};

/// What was told last.
#[derive(Debug)]
pub(super) struct LinkReport {
    events: mpsc::Sender<DeviceEvent>,
    event: fn(Link) -> DeviceEvent,
    told: Option<Link>,
}

impl LinkReport {
    pub(super) fn new(events: mpsc::Sender<DeviceEvent>, event: fn(Link) -> DeviceEvent) -> Self {
        Self { events, event, told: None }
    }
    pub(super) async fn up(&mut self) {
        self.tell(Link::Up).await;
    }
    pub(super) async fn down(&mut self, why: &LinkError) {
        self.tell(Link::Down { why: why.to_string() }).await;
    }
    async fn tell(&mut self, link: Link) {
        if self.told.as_ref() == Some(&link) {
            return;
        }
        self.told = Some(link.clone());
        if self.events.send((self.event)(link)).await.is_err() {
            tracing::debug!("nobody listens to this device any more");
        }
    }
}
