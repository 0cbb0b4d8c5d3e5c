//! What can be read.
//! Source of the fields: Shopify's published schema for 2026-04, of which these are the ones a till bridge reads.
use std::cmp::Reverse;

use async_graphql::{Context, Enum, ID, Interface, Object, Result};
use jiff::tz::TimeZone;

use super::connection::Paging;
use super::reason::{
    self, CashManagementCustomReasonCode, CashManagementDefaultReasonCode, CashManagementReasonCodeConnection,
    CashManagementSystemReasonCode, ReasonCode,
};
use super::session::{
    CashTrackingSession, CashTrackingSessionConnection, PaymentSession, PointOfSaleDevicePaymentSessionConnection,
};
use super::shop::{
    AccessScope, ApiVersion, AppInstallation, CashDrawer, CashDrawerConnection, Location, LocationConnection,
    PointOfSaleDevice, Shop, StaffMember, StaffMemberConnection, ZONE,
};
use super::{number, scope, shared, visible};
use crate::admin::access::{Granted, READ_CASH, READ_DEVICES, READ_LOCATIONS, READ_STAFF, need};
use crate::admin::search::{self, LOCATION, Search};
use crate::admin::store::{Session, gid, number_in};

/// The order of payment sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PointOfSaleDevicePaymentSessionSortKeys {
    ClosingTime,
    Id,
    OpeningTime,
}

/// The order of the older sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CashTrackingSessionsSortKeys {
    ClosingTimeAsc,
    ClosingTimeDesc,
    Id,
    OpeningTimeAsc,
    OpeningTimeDesc,
    TotalDiscrepancyAsc,
    TotalDiscrepancyDesc,
}

/// Anything with an id.
#[derive(Clone, Interface)]
#[graphql(field(name = "id", ty = "ID"))]
pub enum Node {
    CashDrawer(CashDrawer),
    CashManagementCustomReasonCode(CashManagementCustomReasonCode),
    CashManagementDefaultReasonCode(CashManagementDefaultReasonCode),
    CashManagementSystemReasonCode(CashManagementSystemReasonCode),
    CashTrackingSession(CashTrackingSession),
    Location(Location),
    PointOfSaleDevice(PointOfSaleDevice),
    PointOfSaleDevicePaymentSession(PaymentSession),
    StaffMember(StaffMember),
}

pub struct QueryRoot;

/// The sessions this request sees and its query selects; warnings go into `extensions.search`.
fn found(ctx: &Context<'_>, query: Option<&str>, keys: &[&str]) -> Vec<Session> {
    let mut sessions = visible(ctx, &shared(ctx).store());
    if let Some(query) = query {
        let search = read_search(ctx, query, keys);
        sessions.retain(|session| search.matches(session));
    }
    sessions
}

fn read_search(ctx: &Context<'_>, query: &str, keys: &[&str]) -> Search {
    let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
    let search = Search::read(query, keys, &zone);
    let path = ctx.item.node.response_key().node.as_str();
    scope(ctx).search.lock().expect("no holder of the list panics").push(search.told(path, query));
    search
}

fn paged<T>(sessions: Vec<Session>, node: impl Fn(Session) -> T) -> Vec<(String, T)> {
    sessions.into_iter().map(|session| (session.id.to_string(), node(session))).collect()
}

#[Object]
impl QueryRoot {
    async fn cash_drawer(&self, ctx: &Context<'_>, id: ID) -> Option<Result<CashDrawer>> {
        let drawer = || {
            need(ctx, READ_CASH)?;
            let (number, store) = (number(&id, "CashDrawer")?, shared(ctx).store());
            Ok(store.drawers().contains(&number).then_some(CashDrawer(number)))
        };
        drawer().transpose()
    }

    async fn cash_drawers(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        query: Option<String>,
    ) -> Result<CashDrawerConnection> {
        need(ctx, READ_CASH)?;
        let mut drawers = shared(ctx).store().drawers();
        if let Some(query) = query {
            let search = read_search(ctx, &query, search::DRAWERS);
            drawers.retain(|drawer| search.matches_drawer(*drawer));
        }
        let all = drawers.into_iter().map(|id| (id.to_string(), CashDrawer(id))).collect();
        Ok(Paging { first, after, last, before, reverse: None }.cut(all)?.into())
    }

    async fn cash_management_reason_codes(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default_with = "Some(false)")] reverse: Option<bool>,
    ) -> Result<CashManagementReasonCodeConnection> {
        need(ctx, READ_CASH)?;
        let known = shared(ctx).store().spec.reason_code_ids.clone();
        let all = known.iter().map(|id| (id.to_string(), ReasonCode::of(&known, *id))).collect();
        Ok(Paging { first, after, last, before, reverse }.cut(all)?.into())
    }

    #[expect(clippy::too_many_arguments, reason = "the published field has them")]
    async fn cash_tracking_sessions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default_with = "Some(false)")] reverse: Option<bool>,
        #[graphql(default_with = "Some(CashTrackingSessionsSortKeys::Id)")] sort_key: Option<CashTrackingSessionsSortKeys>,
        query: Option<String>,
    ) -> Result<CashTrackingSessionConnection> {
        need(ctx, READ_CASH)?;
        let mut sessions = found(ctx, query.as_deref(), search::OLD_SESSIONS);
        let closing = |session: &Session| session.closing.as_ref().map(|end| end.time);
        match sort_key.unwrap_or(CashTrackingSessionsSortKeys::Id) {
            CashTrackingSessionsSortKeys::Id => sessions.sort_by_key(|session| session.id),
            CashTrackingSessionsSortKeys::OpeningTimeAsc => {
                sessions.sort_by_key(|session| (session.opening_time, session.id))
            }
            CashTrackingSessionsSortKeys::OpeningTimeDesc => {
                sessions.sort_by_key(|session| Reverse((session.opening_time, session.id)));
            }
            CashTrackingSessionsSortKeys::ClosingTimeAsc => sessions.sort_by_key(closing),
            CashTrackingSessionsSortKeys::ClosingTimeDesc => sessions.sort_by_key(|session| Reverse(closing(session))),
            CashTrackingSessionsSortKeys::TotalDiscrepancyAsc => sessions.sort_by_key(Session::discrepancy),
            CashTrackingSessionsSortKeys::TotalDiscrepancyDesc => {
                sessions.sort_by_key(|session| Reverse(session.discrepancy()));
            }
        }
        Ok(Paging { first, after, last, before, reverse }.cut(paged(sessions, CashTrackingSession))?.into())
    }

    async fn current_app_installation(&self, ctx: &Context<'_>) -> Result<AppInstallation> {
        let scopes = ctx.data::<Granted>()?.0.iter();
        let access_scopes =
            scopes.map(|handle| AccessScope { description: handle.replace('_', " "), handle: handle.clone() });
        Ok(AppInstallation { access_scopes: access_scopes.collect(), id: gid("AppInstallation", 1).into() })
    }

    async fn location(&self, ctx: &Context<'_>, id: Option<ID>) -> Option<Result<Location>> {
        let location = || {
            need(ctx, READ_LOCATIONS)?;
            let number = id.map_or(Ok(LOCATION), |id| number(&id, "Location"))?;
            Ok((number == LOCATION).then_some(Location))
        };
        location().transpose()
    }

    async fn locations(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default_with = "Some(false)")] reverse: Option<bool>,
    ) -> Result<LocationConnection> {
        need(ctx, READ_LOCATIONS)?;
        Ok(Paging { first, after, last, before, reverse }.cut(vec![(LOCATION.to_string(), Location)])?.into())
    }

    async fn node(&self, ctx: &Context<'_>, id: ID) -> Option<Result<Node>> {
        node(ctx, id.as_str()).transpose()
    }

    async fn point_of_sale_device(&self, ctx: &Context<'_>, id: ID) -> Option<Result<PointOfSaleDevice>> {
        let device = || {
            need(ctx, READ_DEVICES)?;
            let number = number(&id, "PointOfSaleDevice")?;
            Ok(shared(ctx).store().spec.device_ids.contains(&number).then_some(PointOfSaleDevice(number)))
        };
        device().transpose()
    }

    async fn point_of_sale_device_payment_session(&self, ctx: &Context<'_>, id: ID) -> Option<Result<PaymentSession>> {
        let session = || {
            need(ctx, READ_CASH)?;
            let number = number(&id, "PointOfSaleDevicePaymentSession")?;
            let sessions = visible(ctx, &shared(ctx).store());
            Ok(sessions.into_iter().find(|session| session.id == number).map(PaymentSession))
        };
        session().transpose()
    }

    #[expect(clippy::too_many_arguments, reason = "the published field has them")]
    async fn point_of_sale_device_payment_sessions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default_with = "Some(false)")] reverse: Option<bool>,
        #[graphql(default_with = "Some(PointOfSaleDevicePaymentSessionSortKeys::Id)")] sort_key: Option<
            PointOfSaleDevicePaymentSessionSortKeys,
        >,
        query: Option<String>,
    ) -> Result<PointOfSaleDevicePaymentSessionConnection> {
        need(ctx, READ_CASH)?;
        let mut sessions = found(ctx, query.as_deref(), search::SESSIONS);
        match sort_key.unwrap_or(PointOfSaleDevicePaymentSessionSortKeys::Id) {
            PointOfSaleDevicePaymentSessionSortKeys::Id => sessions.sort_by_key(|session| session.id),
            PointOfSaleDevicePaymentSessionSortKeys::OpeningTime => {
                sessions.sort_by_key(|session| (session.opening_time, session.id));
            }
            PointOfSaleDevicePaymentSessionSortKeys::ClosingTime => {
                sessions.sort_by_key(|session| (session.closing.as_ref().map(|end| end.time), session.id));
            }
        }
        Ok(Paging { first, after, last, before, reverse }.cut(paged(sessions, PaymentSession))?.into())
    }

    /// The one version this stand-in can answer as.
    async fn public_api_versions(&self) -> Vec<ApiVersion> {
        let handle = crate::admin::API_VERSION.to_owned();
        vec![ApiVersion { display_name: handle.clone(), handle, supported: true }]
    }

    async fn shop(&self, ctx: &Context<'_>) -> Shop {
        Shop {
            currency_code: shared(ctx).store().currency,
            iana_timezone: ZONE.to_owned(),
            id: gid("Shop", 1).into(),
            myshopify_domain: "rig.myshopify.com".to_owned(),
            name: "Rig".to_owned(),
        }
    }

    async fn staff_member(&self, ctx: &Context<'_>, id: Option<ID>) -> Option<Result<StaffMember>> {
        let staff = || {
            need(ctx, READ_STAFF)?;
            let store = shared(ctx).store();
            let number = id.map(|id| number(&id, "StaffMember")).transpose()?;
            let number = number.or(store.spec.staff_ids.first().copied());
            Ok(number.filter(|number| store.spec.staff_ids.contains(number)).map(StaffMember))
        };
        staff().transpose()
    }

    #[expect(clippy::too_many_arguments, reason = "the published field has them")]
    async fn staff_members(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default_with = "Some(false)")] reverse: Option<bool>,
        #[graphql(default_with = "Some(StaffMembersSortKeys::Id)")] sort_key: Option<StaffMembersSortKeys>,
    ) -> Option<Result<StaffMemberConnection>> {
        let page = || {
            need(ctx, READ_STAFF)?;
            let mut staff = shared(ctx).store().spec.staff_ids.clone();
            match sort_key.unwrap_or(StaffMembersSortKeys::Id) {
                StaffMembersSortKeys::Id | StaffMembersSortKeys::LastName => staff.sort_unstable(),
                // All of them are called Staff and have no address.
                StaffMembersSortKeys::Email | StaffMembersSortKeys::FirstName => {}
            }
            let all = staff.into_iter().map(|id| (id.to_string(), StaffMember(id))).collect();
            Ok(Paging { first, after, last, before, reverse }.cut(all)?.into())
        };
        Some(page())
    }
}

/// The order of staff members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum StaffMembersSortKeys {
    Email,
    FirstName,
    Id,
    LastName,
}

fn node(ctx: &Context<'_>, id: &str) -> Result<Option<Node>> {
    let kind = id.strip_prefix("gid://shopify/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let Some(number) = number_in(id, kind) else { return Ok(None) };
    let spec = shared(ctx).store().spec.clone();
    let session = |ctx| visible(ctx, &shared(ctx).store()).into_iter().find(|session| session.id == number);
    let node = match kind {
        "CashDrawer" if shared(ctx).store().drawers().contains(&number) => {
            need(ctx, READ_CASH)?;
            Some(CashDrawer(number).into())
        }
        kind if reason::KINDS.contains(&kind) && spec.reason_code_ids.contains(&number) => {
            need(ctx, READ_CASH)?;
            let code = match ReasonCode::of(&spec.reason_code_ids, number) {
                ReasonCode::Custom(code) => code.into(),
                ReasonCode::Default(code) => code.into(),
                ReasonCode::System(code) => code.into(),
            };
            Some(code)
        }
        "CashTrackingSession" => {
            need(ctx, READ_CASH)?;
            session(ctx).map(|session| CashTrackingSession(session).into())
        }
        "Location" if number == LOCATION => {
            need(ctx, READ_LOCATIONS)?;
            Some(Location.into())
        }
        "PointOfSaleDevice" if spec.device_ids.contains(&number) => {
            need(ctx, READ_DEVICES)?;
            Some(PointOfSaleDevice(number).into())
        }
        "PointOfSaleDevicePaymentSession" => {
            need(ctx, READ_CASH)?;
            session(ctx).map(|session| PaymentSession(session).into())
        }
        "StaffMember" if spec.staff_ids.contains(&number) => {
            need(ctx, READ_STAFF)?;
            Some(StaffMember(number).into())
        }
        _ => None,
    };
    Ok(node)
}
