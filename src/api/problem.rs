//! Errors as RFC 9457 problem details: a stable `code` for programs, a text that says what to do for people.
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{daemon::desk::ResolveRefused, device::KickRefused, money::AmountError, shift::Refusal};

/// One error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    /// `detail` says what happened, then what to do.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }
    /// 400.
    #[must_use]
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }
    /// 404.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("{what} does not exist here: GET /v1/tills lists the tills"))
    }
    /// 503: the journal or a till cannot answer.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::ShiftIsOpen | Refusal::Busy(_) | Refusal::NotInThisState { .. } => StatusCode::CONFLICT,
            Refusal::NoSuchOpening => StatusCode::NOT_FOUND,
            Refusal::UnknownStaff { .. }
            | Refusal::DenominationUnknown { .. }
            | Refusal::DenominationTwice { .. }
            | Refusal::NothingCounted
            | Refusal::WrongCurrency { .. }
            | Refusal::Absurd
            | Refusal::DenominationsUnknown { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::NotSaved { .. } => StatusCode::INSUFFICIENT_STORAGE,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<ResolveRefused> for Problem {
    fn from(refused: ResolveRefused) -> Self {
        let (status, code) = match &refused {
            ResolveRefused::NotNow(_) => (StatusCode::CONFLICT, "cannot_be_decided_now"),
            ResolveRefused::NoSuchSession(_) => (StatusCode::UNPROCESSABLE_ENTITY, "no_such_session"),
            ResolveRefused::Unread(_) => (StatusCode::SERVICE_UNAVAILABLE, "shopify_unreachable"),
            ResolveRefused::NotSaved(_) => (StatusCode::INSUFFICIENT_STORAGE, "not_saved"),
        };
        Self::new(status, code, refused.to_string())
    }
}

impl From<AmountError> for Problem {
    fn from(error: AmountError) -> Self {
        let code = match &error {
            AmountError::NotANumber { .. } => "not_an_amount",
            AmountError::TooManyDecimals { .. } => "too_many_decimals",
            AmountError::Negative { .. } => "negative_amount",
            AmountError::Absurd { .. } => "absurd_amount",
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, error.to_string())
    }
}

impl From<KickRefused> for Problem {
    fn from(refused: KickRefused) -> Self {
        match refused {
            KickRefused::Unreachable(why) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "printer_unreachable", why),
            KickRefused::NoDrawer => Self::new(
                StatusCode::NOT_FOUND,
                "no_drawer",
                "this till has no drawer: add [till.drawer] to the configuration",
            ),
            KickRefused::Busy => Self::new(
                StatusCode::CONFLICT,
                "kick_busy",
                "another kick is being answered, or the drawer's solenoid is cooling: try again in a second",
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("urn:drawerbridge:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
