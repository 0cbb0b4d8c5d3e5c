//! Reason codes: the first known number is the system's `FLOAT_SETUP`, the others are the shop's own.
use async_graphql::{Enum, ID, Object, Union};

use super::connection::connection;
use crate::admin::store::{gid, number_in};

/// The types whose ids are reason codes. An id of any of them with a known number is taken.
pub const KINDS: [&str; 3] =
    ["CashManagementCustomReasonCode", "CashManagementDefaultReasonCode", "CashManagementSystemReasonCode"];

#[derive(Debug, Clone, Union)]
#[graphql(name = "CashManagementReasonCode")]
pub enum ReasonCode {
    Custom(CashManagementCustomReasonCode),
    Default(CashManagementDefaultReasonCode),
    System(CashManagementSystemReasonCode),
}

connection!(CashManagementReasonCodeConnection, CashManagementReasonCodeEdge, ReasonCode);

impl ReasonCode {
    /// The first number known is a system code, the second a default one, the others are the shop's own.
    pub fn of(known: &[u64], number: u64) -> ReasonCode {
        match known.iter().position(|one| *one == number) {
            Some(0) => ReasonCode::System(CashManagementSystemReasonCode(number)),
            Some(1) => ReasonCode::Default(CashManagementDefaultReasonCode(number)),
            Some(_) | None => ReasonCode::Custom(CashManagementCustomReasonCode(number)),
        }
    }
}

/// The number in a reason code's id.
pub fn number_of(id: &str) -> Option<u64> {
    KINDS.iter().find_map(|kind| number_in(id, kind))
}

#[derive(Debug, Clone)]
pub struct CashManagementCustomReasonCode(u64);

#[Object]
impl CashManagementCustomReasonCode {
    async fn code(&self) -> String {
        format!("REASON_{}", self.0)
    }
    pub(super) async fn id(&self) -> ID {
        gid("CashManagementCustomReasonCode", self.0).into()
    }
}

#[derive(Debug, Clone)]
pub struct CashManagementDefaultReasonCode(u64);

#[Object]
impl CashManagementDefaultReasonCode {
    async fn code(&self) -> CashManagementDefaultReasonCodeEnum {
        CashManagementDefaultReasonCodeEnum::CashCount
    }
    pub(super) async fn id(&self) -> ID {
        gid("CashManagementDefaultReasonCode", self.0).into()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CashManagementDefaultReasonCodeEnum {
    CashPickup,
    CashCount,
    ChangeCorrection,
    PettyCash,
    TipPayout,
    CashPayout,
    Other,
    AutoEndSessionLogout,
    AutoEndSessionLocationChange,
    AutoStartSessionCheckout,
}

#[derive(Debug, Clone)]
pub struct CashManagementSystemReasonCode(u64);

#[Object]
impl CashManagementSystemReasonCode {
    async fn code(&self) -> CashManagementSystemReasonCodeEnum {
        CashManagementSystemReasonCodeEnum::FloatSetup
    }
    pub(super) async fn id(&self) -> ID {
        gid("CashManagementSystemReasonCode", self.0).into()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CashManagementSystemReasonCodeEnum {
    FloatSetup,
    CashPayout,
    Other,
    AutoEndSessionLogout,
    AutoEndSessionLocationChange,
    AutoStartSessionCheckout,
}
