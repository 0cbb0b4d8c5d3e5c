//! What can be changed: a session is opened, counted, adjusted and closed; drawers are in [`super::drawer`].
//! Source of arguments and codes: Shopify's published schema for 2026-04. Which mistake brings which code is plain for
//! all but `NOT_SAVED`: what a count, a time and a note must look like is not documented, so the limits here are ours.
use std::sync::atomic::Ordering;

use async_graphql::{Context, Enum, Error, ErrorExtensions, ID, InputType, Name, Object, Result, SimpleObject, Value};
use rust_decimal::Decimal;

use super::drawer::{self, CashDrawerFindOrCreatePayload, PointOfSaleDeviceAssignToCashDrawerPayload};
use super::money::{MoneyInput, Time};
use super::session::PaymentSession;
use super::{number, scope, shared};
use crate::admin::AdminEvent;
use crate::admin::access::{READ_CASH, WRITE_CASH, need};
use crate::admin::schema::reason;
use crate::admin::store::{CashLine, LineKind, Opening, Session, Store, number_in};
use crate::line;

/// Longest note taken, in characters. Ours: the real limit is not documented.
const NOTE_LIMIT: usize = 255;
/// How far ahead of the shop's clock a time may be. Ours.
const FUTURE_LIMIT_S: i64 = 5 * 60;
/// How old a time may be. Ours: a till that was offline for a long weekend is well inside.
const PAST_LIMIT_S: i64 = 30 * 24 * 3_600;

/// Why a mutation was refused, before it is put into the words of its own error type.
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) field: Vec<String>,
    pub(super) message: String,
}

pub(super) fn refuse(code: &'static str, field: &[&str], message: impl Into<String>) -> Refusal {
    Refusal { code, field: field.iter().map(|part| (*part).to_owned()).collect(), message: message.into() }
}

/// Either kind of "no": a user error in the payload, or an error of the whole root field.
pub(super) enum No {
    Refused(Refusal),
    Failed(Error),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> No {
        No::Refused(refusal)
    }
}

impl From<Error> for No {
    fn from(error: Error) -> No {
        No::Failed(error)
    }
}

/// Declares a payload with its user error and the codes; what has no code of its own becomes `$rest`.
macro_rules! payload {
    ($payload:ident, $error:ident, $code:ident { $($variant:ident),* }, $rest:ident) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
        pub enum $code { $($variant),* }

        #[derive(Debug, Clone, SimpleObject)]
        pub struct $error {
            code: Option<$code>,
            field: Option<Vec<String>>,
            message: String,
        }

        pub struct $payload(Result<Session, $error>);

        impl From<Result<Session, Refusal>> for $payload {
            fn from(outcome: Result<Session, Refusal>) -> Self {
                Self(outcome.map_err(|Refusal { code, field, message }| {
                    let code = <$code as InputType>::parse(Some(Value::Enum(Name::new(code)))).unwrap_or($code::$rest);
                    $error { code: Some(code), field: Some(field), message }
                }))
            }
        }

        #[Object]
        impl $payload {
            async fn point_of_sale_device_payment_session(&self, ctx: &Context<'_>) -> Option<Result<PaymentSession>> {
                session_in_payload(ctx, self.0.as_ref().ok())
            }
            async fn user_errors(&self) -> Vec<$error> {
                self.0.as_ref().err().cloned().into_iter().collect()
            }
        }
    };
}

payload!(
    PointOfSaleDevicePaymentSessionOpenPayload,
    PointOfSaleDevicePaymentSessionOpenUserError,
    PointOfSaleDevicePaymentSessionOpenUserErrorCode {
        PointOfSaleDeviceNotFound,
        NoCashDrawerAssociated,
        NotSaved,
        AlreadyOpen,
        StaffMemberNotFound,
        CurrencyMismatch,
        ReasonCodeNotFound
    },
    NotSaved
);

payload!(
    PointOfSaleDevicePaymentSessionCountPayload,
    PointOfSaleDevicePaymentSessionCountUserError,
    PointOfSaleDevicePaymentSessionCountUserErrorCode {
        StaffMemberNotFound,
        PaymentSessionNotFound,
        SessionAlreadyClosed,
        TimeBeforeSessionOpen,
        ReasonCodeNotFound,
        CurrencyMismatch,
        NoCashDrawerAssociated,
        FailedToRecordCount
    },
    FailedToRecordCount
);

payload!(
    PointOfSaleDevicePaymentSessionClosePayload,
    PointOfSaleDevicePaymentSessionCloseUserError,
    PointOfSaleDevicePaymentSessionCloseUserErrorCode {
        StaffMemberNotFound,
        PaymentSessionNotFound,
        SessionAlreadyClosed,
        TimeBeforeSessionOpen,
        ReasonCodeNotFound,
        CurrencyMismatch,
        NoCashDrawerAssociated,
        FailedToCloseSession
    },
    FailedToCloseSession
);

/// The error of an adjustment has no code.
#[derive(Debug, Clone, SimpleObject)]
pub struct UserError {
    field: Option<Vec<String>>,
    message: String,
}

pub struct PointOfSaleDevicePaymentSessionAdjustPayload(Result<Session, UserError>);

#[Object]
impl PointOfSaleDevicePaymentSessionAdjustPayload {
    async fn point_of_sale_device_payment_session(&self, ctx: &Context<'_>) -> Option<Result<PaymentSession>> {
        session_in_payload(ctx, self.0.as_ref().ok())
    }
    async fn user_errors(&self) -> Vec<UserError> {
        self.0.as_ref().err().cloned().into_iter().collect()
    }
}

/// Reading takes its own scope: without it the session is there and cannot be seen.
fn session_in_payload(ctx: &Context<'_>, session: Option<&Session>) -> Option<Result<PaymentSession>> {
    let session = session?;
    Some(need(ctx, READ_CASH).map(|()| PaymentSession(session.clone())))
}

/// What the four mutations have in common.
struct Entry<'a> {
    staff: &'a ID,
    money: Option<&'a MoneyInput>,
    /// The argument the money came in.
    argument: &'static str,
    may_be_negative: bool,
    time: Option<Time>,
    reason: Option<&'a ID>,
    note: Option<&'a str>,
}

/// An entry that was checked.
struct Checked {
    staff: u64,
    amount: Option<Decimal>,
    time: i64,
    reason: Option<u64>,
}

fn check(store: &Store, entry: &Entry<'_>) -> Result<Checked, No> {
    let staff = number(entry.staff, "StaffMember")?;
    if !store.spec.staff_ids.contains(&staff) {
        return Err(refuse("STAFF_MEMBER_NOT_FOUND", &["staffMemberId"], "Staff member not found").into());
    }
    let reason = entry.reason.map(|id| known_reason(store, id)).transpose()?;
    if let Some(money) = entry.money {
        check_money(store, entry, money)?;
    }
    let now = store.now();
    let time = entry.time.map_or(now, |time| time.0);
    if time > now + FUTURE_LIMIT_S {
        return Err(refuse("NOT_SAVED", &["time"], "Time can't be in the future").into());
    }
    if time < now - PAST_LIMIT_S {
        return Err(refuse("NOT_SAVED", &["time"], "Time is too far in the past").into());
    }
    if entry.note.is_some_and(|note| note.chars().count() > NOTE_LIMIT) {
        let message = format!("Note is too long (maximum is {NOTE_LIMIT} characters)");
        return Err(refuse("NOT_SAVED", &["note"], message).into());
    }
    Ok(Checked { staff, amount: entry.money.map(|money| money.amount.0), time, reason })
}

fn known_reason(store: &Store, id: &ID) -> Result<u64, No> {
    let kind = id.as_str().split('/').nth(3).unwrap_or_default();
    let Some(number) = reason::number_of(id.as_str()) else {
        // Any other id is refused in the way of an id of the wrong type.
        return Err(number(id, "CashManagementReasonCode").err().map_or_else(
            || refuse("REASON_CODE_NOT_FOUND", &["reasonCodeId"], format!("{kind} is no reason code")).into(),
            No::Failed,
        ));
    };
    if store.spec.reason_code_ids.contains(&number) {
        return Ok(number);
    }
    Err(refuse("REASON_CODE_NOT_FOUND", &["reasonCodeId"], "Reason code not found").into())
}

fn check_money(store: &Store, entry: &Entry<'_>, money: &MoneyInput) -> Result<(), No> {
    if !money.currency_code.can_be_sent() {
        let error = Error::new("The specified currency is not supported.");
        return Err(No::Failed(error.extend_with(|_, extensions| extensions.set("code", "CURRENCY_CODE_INVALID"))));
    }
    if money.currency_code != store.currency {
        let message = format!("Currency must be {}", store.spec.currency);
        return Err(refuse("CURRENCY_MISMATCH", &[entry.argument, "currencyCode"], message).into());
    }
    let amount = money.amount.0;
    if amount.is_sign_negative() && !amount.is_zero() && !entry.may_be_negative {
        return Err(refuse("NOT_SAVED", &[entry.argument, "amount"], "Amount must be greater than or equal to 0").into());
    }
    if amount.normalize().scale() > money.currency_code.digits() {
        let message = format!("Amount has more than {} decimal places", money.currency_code.digits());
        return Err(refuse("NOT_SAVED", &[entry.argument, "amount"], message).into());
    }
    Ok(())
}

/// A fault says that whatever comes is refused; the code is put in when the answer goes out.
pub(super) fn refused_by_fault(ctx: &Context<'_>) -> Result<(), No> {
    if scope(ctx).refuse { Err(refuse("NOT_SAVED", &[], "Refused by the rig").into()) } else { Ok(()) }
}

/// Settles a mutation: its payload, or an error of the root field.
fn settled<P: From<Result<Session, Refusal>>>(ctx: &Context<'_>, outcome: Result<Session, No>) -> Option<Result<P>> {
    match outcome {
        Ok(session) => {
            scope(ctx).changed.store(true, Ordering::Release);
            Some(Ok(P::from(Ok(session))))
        }
        Err(No::Refused(refusal)) => Some(Ok(P::from(Err(refusal)))),
        Err(No::Failed(error)) => Some(Err(error)),
    }
}

impl From<Result<Session, Refusal>> for PointOfSaleDevicePaymentSessionAdjustPayload {
    fn from(outcome: Result<Session, Refusal>) -> Self {
        Self(outcome.map_err(|Refusal { code: _, field, message }| UserError { field: Some(field), message }))
    }
}

fn open(ctx: &Context<'_>, device: &ID, entry: &Entry<'_>) -> Result<Session, No> {
    need(ctx, WRITE_CASH)?;
    refused_by_fault(ctx)?;
    let device = number(device, "PointOfSaleDevice")?;
    let (session, row) = {
        let mut store = shared(ctx).store();
        if !store.spec.device_ids.contains(&device) {
            let message = "Point of sale device not found";
            return Err(refuse("POINT_OF_SALE_DEVICE_NOT_FOUND", &["pointOfSaleDeviceId"], message).into());
        }
        if !store.spec.drawer {
            let message = "Point of sale device is not assigned to a cash drawer";
            return Err(refuse("NO_CASH_DRAWER_ASSOCIATED", &["pointOfSaleDeviceId"], message).into());
        }
        let Checked { staff, amount, time, reason: _ } = check(&store, entry)?;
        if store.open_session_of(device).is_some() {
            let message = "Point of sale device already has an open payment session";
            return Err(refuse("ALREADY_OPEN", &["pointOfSaleDeviceId"], message).into());
        }
        let amount = amount.unwrap_or(store.expected);
        let note = entry.note.map(str::to_owned);
        let row = store.open(Opening { device, staff, amount, time, note, by: "api" });
        (store.open_session_of(device).cloned(), row)
    };
    shared(ctx).tell(AdminEvent::Session(row));
    session.ok_or_else(|| No::Failed(Error::new("the session just opened is gone")))
}

/// The open session an entry is for, as its number.
fn session_for(store: &Store, id: &ID, time: i64) -> Result<u64, No> {
    let field = ["pointOfSaleDevicePaymentSessionId"];
    let number = number(id, "PointOfSaleDevicePaymentSession")?;
    let Some(session) = store.sessions.iter().find(|session| session.id == number) else {
        return Err(refuse("PAYMENT_SESSION_NOT_FOUND", &field, "Payment session not found").into());
    };
    if session.closing.is_some() {
        return Err(refuse("SESSION_ALREADY_CLOSED", &field, "Payment session is already closed").into());
    }
    if !store.spec.drawer {
        let message = "Point of sale device is not assigned to a cash drawer";
        return Err(refuse("NO_CASH_DRAWER_ASSOCIATED", &field, message).into());
    }
    if time < session.opening_time {
        return Err(refuse("TIME_BEFORE_SESSION_OPEN", &["time"], "Time is before the session was opened").into());
    }
    Ok(number)
}

/// Adds a line to an open session: nothing guards against the same line twice.
fn add_line(
    ctx: &Context<'_>,
    id: &ID,
    entry: &Entry<'_>,
    kind: impl FnOnce(Option<u64>) -> LineKind,
) -> Result<Session, No> {
    need(ctx, WRITE_CASH)?;
    refused_by_fault(ctx)?;
    let mut store = shared(ctx).store();
    let Checked { staff, amount, time, reason } = check(&store, entry)?;
    let number = session_for(&store, id, time)?;
    let session = store.session_mut(number).ok_or_else(|| No::Failed(Error::new("the session is gone")))?;
    let (what, cash, expected) = (kind(reason), amount.unwrap_or_default(), session.expected_now());
    let line = CashLine { what, cash, expected, staff, time, created: line::now() };
    session.lines.push(line);
    Ok(session.clone())
}

fn close(ctx: &Context<'_>, id: &ID, entry: &Entry<'_>) -> Result<Session, No> {
    need(ctx, WRITE_CASH)?;
    refused_by_fault(ctx)?;
    let (session, row) = {
        let mut store = shared(ctx).store();
        let Checked { staff, amount, time, reason: _ } = check(&store, entry)?;
        let number = session_for(&store, id, time)?;
        let note = entry.note.map(str::to_owned);
        let row = store.close(number, staff, amount.unwrap_or_default(), time, note);
        (number_in(id.as_str(), "PointOfSaleDevicePaymentSession").and_then(|id| store.session_mut(id).cloned()), row)
    };
    if let Some(row) = row {
        shared(ctx).tell(AdminEvent::Session(row));
    }
    session.ok_or_else(|| No::Failed(Error::new("the session just closed is gone")))
}

pub struct Mutation;

#[Object]
impl Mutation {
    async fn cash_drawer_find_or_create(
        &self,
        ctx: &Context<'_>,
        location_id: ID,
        name: String,
        point_of_sale_device_id: ID,
    ) -> Option<Result<CashDrawerFindOrCreatePayload>> {
        drawer::find_or_create(ctx, &location_id, &name, &point_of_sale_device_id)
    }

    async fn point_of_sale_device_assign_to_cash_drawer(
        &self,
        ctx: &Context<'_>,
        cash_drawer_id: ID,
        point_of_sale_device_id: ID,
    ) -> Option<Result<PointOfSaleDeviceAssignToCashDrawerPayload>> {
        drawer::assign(ctx, &cash_drawer_id, &point_of_sale_device_id)
    }

    #[expect(clippy::too_many_arguments, reason = "the published field has them")]
    async fn point_of_sale_device_payment_session_open(
        &self,
        ctx: &Context<'_>,
        point_of_sale_device_id: ID,
        balance: Option<MoneyInput>,
        staff_member_id: ID,
        time: Option<Time>,
        reason_code_id: Option<ID>,
        note: Option<String>,
    ) -> Option<Result<PointOfSaleDevicePaymentSessionOpenPayload>> {
        let entry = Entry {
            staff: &staff_member_id,
            money: balance.as_ref(),
            argument: "balance",
            may_be_negative: false,
            time,
            reason: reason_code_id.as_ref(),
            note: note.as_deref(),
        };
        settled(ctx, open(ctx, &point_of_sale_device_id, &entry))
    }

    #[expect(clippy::too_many_arguments, reason = "the published field has them")]
    async fn point_of_sale_device_payment_session_count(
        &self,
        ctx: &Context<'_>,
        point_of_sale_device_payment_session_id: ID,
        balance: MoneyInput,
        staff_member_id: ID,
        time: Option<Time>,
        reason_code_id: Option<ID>,
        note: Option<String>,
    ) -> Option<Result<PointOfSaleDevicePaymentSessionCountPayload>> {
        let entry = Entry {
            staff: &staff_member_id,
            money: Some(&balance),
            argument: "balance",
            may_be_negative: false,
            time,
            reason: reason_code_id.as_ref(),
            note: note.as_deref(),
        };
        settled(ctx, add_line(ctx, &point_of_sale_device_payment_session_id, &entry, |_| LineKind::MidCount))
    }

    #[expect(clippy::too_many_arguments, reason = "the published field has them")]
    async fn point_of_sale_device_payment_session_adjust(
        &self,
        ctx: &Context<'_>,
        point_of_sale_device_payment_session_id: ID,
        cash: MoneyInput,
        staff_member_id: ID,
        reason_code_id: Option<ID>,
        note: Option<String>,
        time: Option<Time>,
    ) -> Option<Result<PointOfSaleDevicePaymentSessionAdjustPayload>> {
        let entry = Entry {
            staff: &staff_member_id,
            money: Some(&cash),
            argument: "cash",
            may_be_negative: true,
            time,
            reason: reason_code_id.as_ref(),
            note: note.as_deref(),
        };
        let line = |reason| LineKind::Adjustment { note: note.clone(), reason };
        settled(ctx, add_line(ctx, &point_of_sale_device_payment_session_id, &entry, line))
    }

    #[expect(clippy::too_many_arguments, reason = "the published field has them")]
    async fn point_of_sale_device_payment_session_close(
        &self,
        ctx: &Context<'_>,
        point_of_sale_device_payment_session_id: ID,
        balance: MoneyInput,
        staff_member_id: ID,
        time: Option<Time>,
        reason_code_id: Option<ID>,
        note: Option<String>,
    ) -> Option<Result<PointOfSaleDevicePaymentSessionClosePayload>> {
        let entry = Entry {
            staff: &staff_member_id,
            money: Some(&balance),
            argument: "balance",
            may_be_negative: false,
            time,
            reason: reason_code_id.as_ref(),
            note: note.as_deref(),
        };
        settled(ctx, close(ctx, &point_of_sale_device_payment_session_id, &entry))
    }
}
