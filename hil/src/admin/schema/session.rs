//! A payment session, and the older cash tracking session made of the same thing.
use async_graphql::{Context, Enum, ID, Object, Result};
use rust_decimal::Decimal;

use super::activity::{CashActivity, CashActivityConnection, by_staff};
use super::connection::{Paging, connection};
use super::money::{Money, Time};
use super::shop::{CashDrawer, Location, PointOfSaleDevice, StaffMember};
use super::{scope, shared};
use crate::admin::access;
use crate::admin::store::{Session, gid};

#[derive(Clone)]
pub struct PaymentSession(pub Session);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "PointOfSaleDevicePaymentSessionStatus")]
pub enum Status {
    Open,
    Closed,
}

connection!(PointOfSaleDevicePaymentSessionConnection, PointOfSaleDevicePaymentSessionEdge, PaymentSession);

impl PaymentSession {
    fn money(&self, ctx: &Context<'_>, amount: Decimal) -> Money {
        Money::new(amount, shared(ctx).store().currency)
    }

    fn at_close(&self, ctx: &Context<'_>, amount: impl FnOnce(&crate::admin::store::Closing) -> Decimal) -> Option<Money> {
        self.0.closing.as_ref().map(|end| self.money(ctx, amount(end)))
    }
}

#[Object(name = "PointOfSaleDevicePaymentSession")]
impl PaymentSession {
    /// A search in the lines is not part of the stand-in.
    #[expect(clippy::too_many_arguments, reason = "the published field has them")]
    async fn cash_activities(
        &self,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default_with = "Some(false)")] reverse: Option<bool>,
        staff_member_id: Option<ID>,
    ) -> Result<CashActivityConnection> {
        let lines = by_staff(&self.0.lines, staff_member_id.as_ref())?;
        let all = lines.iter().enumerate().map(|(at, line)| (at.to_string(), CashActivity::of(&self.0, line))).collect();
        Ok(Paging { first, after, last, before, reverse }.cut(all)?.into())
    }
    async fn cash_counted_at_close(&self, ctx: &Context<'_>) -> Option<Money> {
        self.at_close(ctx, |end| end.counted)
    }
    async fn cash_counted_at_open(&self, ctx: &Context<'_>) -> Money {
        let wrong = if scope(ctx).wrong_amount { Decimal::ONE } else { Decimal::ZERO };
        self.money(ctx, self.0.counted + wrong)
    }
    async fn cash_drawer(&self, ctx: &Context<'_>) -> CashDrawer {
        CashDrawer(shared(ctx).store().drawer_of(self.0.device).unwrap_or(self.0.device))
    }
    async fn closing_balance(&self, ctx: &Context<'_>) -> Option<Money> {
        self.at_close(ctx, |end| end.counted)
    }
    async fn closing_note(&self) -> Option<String> {
        self.0.closing.as_ref().and_then(|end| end.note.clone())
    }
    async fn closing_staff_member(&self, ctx: &Context<'_>) -> Option<Result<StaffMember>> {
        let end = self.0.closing.as_ref()?;
        Some(access::need(ctx, access::READ_STAFF).map(|()| StaffMember(end.staff)))
    }
    async fn closing_time(&self) -> Option<Time> {
        self.0.closing.as_ref().map(|end| Time(end.time))
    }
    async fn currency(&self, ctx: &Context<'_>) -> String {
        shared(ctx).store().spec.currency.clone()
    }
    async fn expected_cash_at_close(&self, ctx: &Context<'_>) -> Option<Money> {
        self.at_close(ctx, |end| end.expected)
    }
    async fn expected_cash_at_open(&self, ctx: &Context<'_>) -> Money {
        self.money(ctx, self.0.expected)
    }
    pub(super) async fn id(&self) -> ID {
        self.0.gid().into()
    }
    async fn location(&self, ctx: &Context<'_>) -> Result<Location> {
        access::need(ctx, access::READ_LOCATIONS)?;
        Ok(Location)
    }
    async fn net_cash_sales(&self, ctx: &Context<'_>) -> Money {
        self.money(ctx, Decimal::ZERO)
    }
    async fn net_sales(&self, ctx: &Context<'_>) -> Money {
        self.money(ctx, Decimal::ZERO)
    }
    async fn opening_note(&self) -> Option<String> {
        self.0.opening_note.clone()
    }
    async fn opening_staff_member(&self, ctx: &Context<'_>) -> Result<StaffMember> {
        access::need(ctx, access::READ_STAFF)?;
        Ok(StaffMember(self.0.staff))
    }
    async fn opening_time(&self) -> Time {
        Time(self.0.opening_time)
    }
    async fn point_of_sale_device(&self, ctx: &Context<'_>) -> Result<PointOfSaleDevice> {
        access::need(ctx, access::READ_DEVICES)?;
        Ok(PointOfSaleDevice(self.0.device))
    }
    async fn status(&self) -> Status {
        if self.0.closing.is_some() { Status::Closed } else { Status::Open }
    }
    async fn total_adjustments(&self, ctx: &Context<'_>) -> Money {
        self.money(ctx, self.0.adjustments())
    }
    async fn total_cash_refunds(&self, ctx: &Context<'_>) -> Money {
        self.money(ctx, Decimal::ZERO)
    }
    async fn total_cash_sales(&self, ctx: &Context<'_>) -> Money {
        self.money(ctx, Decimal::ZERO)
    }
    async fn total_discrepancy(&self, ctx: &Context<'_>) -> Money {
        self.money(ctx, self.0.discrepancy())
    }
    async fn total_refunds(&self, ctx: &Context<'_>) -> Money {
        self.money(ctx, Decimal::ZERO)
    }
    async fn total_sales(&self, ctx: &Context<'_>) -> Money {
        self.money(ctx, Decimal::ZERO)
    }
    async fn totals_ready(&self) -> bool {
        true
    }
}

/// The older type; it alone has the register's name.
#[derive(Clone)]
pub struct CashTrackingSession(pub Session);

connection!(CashTrackingSessionConnection, CashTrackingSessionEdge, CashTrackingSession);

#[Object]
impl CashTrackingSession {
    async fn closing_time(&self) -> Option<Time> {
        self.0.closing.as_ref().map(|end| Time(end.time))
    }
    pub(super) async fn id(&self) -> ID {
        gid("CashTrackingSession", self.0.id).into()
    }
    async fn opening_balance(&self, ctx: &Context<'_>) -> Money {
        Money::new(self.0.counted, shared(ctx).store().currency)
    }
    async fn opening_time(&self) -> Time {
        Time(self.0.opening_time)
    }
    async fn register_name(&self) -> String {
        format!("Register {}", self.0.device)
    }
}
