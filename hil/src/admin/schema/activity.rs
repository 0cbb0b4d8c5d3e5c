//! The cash lines of a session.
use async_graphql::{Context, Enum, ID, Interface, Object, Result};

use super::connection::connection;
use super::money::{Money, Time};
use super::reason::ReasonCode;
use super::session::PaymentSession;
use super::shared;
use super::shop::StaffMember;
use crate::admin::access;
use crate::admin::store::{CashLine, LineKind, Session};

/// A line of a session's ledger; it has no id.
#[derive(Clone, Interface)]
#[graphql(
    field(name = "cash", ty = "Money"),
    field(name = "payment_session", ty = "PaymentSession"),
    field(name = "staff_member", ty = "StaffMember"),
    field(name = "time", ty = "Time")
)]
pub enum CashActivity {
    Count(CashCountActivity),
    Adjustment(CashAdjustmentActivity),
}

connection!(CashActivityConnection, CashActivityEdge, CashActivity);

impl CashActivity {
    pub fn of(session: &Session, line: &CashLine) -> CashActivity {
        let (session, line) = (session.clone(), line.clone());
        let count = |ty| (ty, session.clone());
        let (ty, session) = match line.what {
            LineKind::OpeningCount => count(CashCountActivityType::Opening),
            LineKind::MidCount => count(CashCountActivityType::MidSession),
            LineKind::ClosingCount => count(CashCountActivityType::Closing),
            LineKind::Adjustment { .. } => return CashActivity::Adjustment(CashAdjustmentActivity { session, line }),
        };
        CashActivity::Count(CashCountActivity { session, line, ty })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CashCountActivityType {
    Opening,
    Closing,
    MidSession,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CashAdjustmentActivityType {
    Adjustment,
    CashPayout,
    ClosingAdjustment,
}

/// The drawer was counted.
#[derive(Clone)]
pub struct CashCountActivity {
    session: Session,
    line: CashLine,
    ty: CashCountActivityType,
}

#[Object]
impl CashCountActivity {
    pub(super) async fn cash(&self, ctx: &Context<'_>) -> Money {
        Money::new(self.line.cash, shared(ctx).store().currency)
    }
    async fn cash_counted(&self, ctx: &Context<'_>) -> Money {
        Money::new(self.line.cash, shared(ctx).store().currency)
    }
    async fn cash_discrepancy(&self, ctx: &Context<'_>) -> Money {
        Money::new(self.line.cash - self.line.expected, shared(ctx).store().currency)
    }
    async fn cash_expected(&self, ctx: &Context<'_>) -> Money {
        Money::new(self.line.expected, shared(ctx).store().currency)
    }
    pub(super) async fn payment_session(&self) -> PaymentSession {
        PaymentSession(self.session.clone())
    }
    pub(super) async fn staff_member(&self, ctx: &Context<'_>) -> Result<StaffMember> {
        access::need(ctx, access::READ_STAFF)?;
        Ok(StaffMember(self.line.staff))
    }
    pub(super) async fn time(&self) -> Time {
        Time(self.line.time)
    }
    #[graphql(name = "type")]
    async fn ty(&self) -> CashCountActivityType {
        self.ty
    }
}

/// Cash was put in or taken out.
#[derive(Clone)]
pub struct CashAdjustmentActivity {
    session: Session,
    line: CashLine,
}

#[Object]
impl CashAdjustmentActivity {
    pub(super) async fn cash(&self, ctx: &Context<'_>) -> Money {
        Money::new(self.line.cash, shared(ctx).store().currency)
    }
    async fn note(&self) -> Option<String> {
        if let LineKind::Adjustment { note, .. } = &self.line.what { note.clone() } else { None }
    }
    pub(super) async fn payment_session(&self) -> PaymentSession {
        PaymentSession(self.session.clone())
    }
    async fn reason_code(&self, ctx: &Context<'_>) -> Option<ReasonCode> {
        let LineKind::Adjustment { reason, .. } = &self.line.what else { return None };
        reason.map(|number| ReasonCode::of(&shared(ctx).store().spec.reason_code_ids, number))
    }
    pub(super) async fn staff_member(&self, ctx: &Context<'_>) -> Result<StaffMember> {
        access::need(ctx, access::READ_STAFF)?;
        Ok(StaffMember(self.line.staff))
    }
    pub(super) async fn time(&self) -> Time {
        Time(self.line.time)
    }
    #[graphql(name = "type")]
    async fn ty(&self) -> CashAdjustmentActivityType {
        CashAdjustmentActivityType::Adjustment
    }
}

/// The lines of one staff member only, if one is asked for.
pub fn by_staff(lines: &[CashLine], staff: Option<&ID>) -> Result<Vec<CashLine>> {
    let staff = staff.map(|id| super::number(id, "StaffMember")).transpose()?;
    Ok(lines.iter().filter(|line| staff.is_none_or(|staff| line.staff == staff)).cloned().collect())
}
