//! The shop and what belongs to it: devices, drawers, staff, locations, the app.
use async_graphql::{Context, ID, Object, Result, SimpleObject};

use super::connection::{Paging, connection};
use super::money::CurrencyCode;
use super::session::PaymentSession;
use super::{shared, visible};
use crate::admin::access;
use crate::admin::search::LOCATION;
use crate::admin::store::gid;

/// The zone of the shop; a rig is somewhere.
pub const ZONE: &str = "America/New_York";

#[derive(SimpleObject)]
pub struct Shop {
    pub currency_code: CurrencyCode,
    pub iana_timezone: String,
    pub id: ID,
    pub myshopify_domain: String,
    pub name: String,
}

#[derive(SimpleObject)]
pub struct ApiVersion {
    pub display_name: String,
    pub handle: String,
    pub supported: bool,
}

#[derive(SimpleObject)]
pub struct AccessScope {
    pub description: String,
    pub handle: String,
}

#[derive(SimpleObject)]
pub struct AppInstallation {
    pub access_scopes: Vec<AccessScope>,
    pub id: ID,
}

/// A till's terminal.
#[derive(Debug, Clone)]
pub struct PointOfSaleDevice(pub u64);

connection!(PointOfSaleDeviceConnection, PointOfSaleDeviceEdge, PointOfSaleDevice);

#[Object]
impl PointOfSaleDevice {
    async fn active_payment_session(&self, ctx: &Context<'_>) -> Option<Result<PaymentSession>> {
        if let Err(denied) = access::need(ctx, access::READ_CASH) {
            return Some(Err(denied));
        }
        let sessions = visible(ctx, &shared(ctx).store());
        sessions.into_iter().find(|one| one.device == self.0 && one.closing.is_none()).map(|one| Ok(PaymentSession(one)))
    }
    async fn cash_drawer(&self, ctx: &Context<'_>) -> Option<Result<CashDrawer>> {
        if let Err(denied) = access::need(ctx, access::READ_CASH) {
            return Some(Err(denied));
        }
        shared(ctx).store().drawer_of(self.0).map(|drawer| Ok(CashDrawer(drawer)))
    }
    pub(super) async fn id(&self) -> ID {
        gid("PointOfSaleDevice", self.0).into()
    }
}

/// Each device begins with a drawer of its own, with the same number.
#[derive(Debug, Clone)]
pub struct CashDrawer(pub u64);

connection!(CashDrawerConnection, CashDrawerEdge, CashDrawer);

#[Object]
impl CashDrawer {
    pub(super) async fn id(&self) -> ID {
        gid("CashDrawer", self.0).into()
    }
    async fn location(&self, ctx: &Context<'_>) -> Result<Location> {
        access::need(ctx, access::READ_LOCATIONS)?;
        Ok(Location)
    }
    async fn name(&self, ctx: &Context<'_>) -> String {
        shared(ctx).store().drawer_name(self.0)
    }
    async fn point_of_sale_devices(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Option<Result<PointOfSaleDeviceConnection>> {
        let page = || {
            access::need(ctx, access::READ_DEVICES)?;
            let paging = Paging { first, after, last, before, reverse: None };
            let devices = shared(ctx).store().devices_of(self.0);
            Ok(paging.cut(devices.into_iter().map(|id| (id.to_string(), PointOfSaleDevice(id))).collect())?.into())
        };
        Some(page())
    }
}

/// The only location.
#[derive(Debug, Clone)]
pub struct Location;

connection!(LocationConnection, LocationEdge, Location);

#[Object]
impl Location {
    pub(super) async fn id(&self) -> ID {
        gid("Location", LOCATION).into()
    }
    async fn is_active(&self) -> bool {
        true
    }
    async fn name(&self) -> String {
        "Rig".to_owned()
    }
}

/// A person behind the counter.
#[derive(Debug, Clone)]
pub struct StaffMember(pub u64);

connection!(StaffMemberConnection, StaffMemberEdge, StaffMember);

#[Object]
impl StaffMember {
    async fn active(&self) -> bool {
        true
    }
    async fn exists(&self) -> bool {
        true
    }
    async fn first_name(&self) -> Option<String> {
        Some("Staff".to_owned())
    }
    pub(super) async fn id(&self) -> ID {
        gid("StaffMember", self.0).into()
    }
    async fn is_shop_owner(&self) -> bool {
        self.0 == 1
    }
    async fn last_name(&self) -> Option<String> {
        Some(self.0.to_string())
    }
    async fn name(&self) -> String {
        format!("Staff {}", self.0)
    }
}
