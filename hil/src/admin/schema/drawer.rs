//! Drawers made and devices moved to them, in the way of a set-up: no till does this during a shift.
//! Source of arguments and codes: Shopify's published schema for 2026-04. Codes that no mistake here brings are listed for
//! the schema's sake.
use std::sync::atomic::Ordering;

use async_graphql::{Context, Enum, ID, InputType, Name, Object, Result, SimpleObject, Value};

use super::mutation::{No, Refusal, refuse, refused_by_fault};
use super::shop::{CashDrawer, PointOfSaleDevice};
use super::{number, scope, shared};
use crate::admin::access::{READ_CASH, READ_DEVICES, WRITE_CASH, need};
use crate::admin::search::LOCATION;

/// Declares the user error of a mutation with its codes.
macro_rules! user_error {
    ($error:ident, $code:ident { $($variant:ident),* }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
        pub enum $code { $($variant),* }

        #[derive(Debug, Clone, SimpleObject)]
        pub struct $error {
            code: Option<$code>,
            field: Option<Vec<String>>,
            message: String,
        }

        impl From<Refusal> for $error {
            fn from(Refusal { code, field, message }: Refusal) -> Self {
                let code = <$code as InputType>::parse(Some(Value::Enum(Name::new(code)))).unwrap_or($code::InternalError);
                Self { code: Some(code), field: Some(field), message }
            }
        }
    };
}

user_error!(
    CashDrawerFindOrCreateUserError,
    CashDrawerFindOrCreateUserErrorCode {
        InternalError,
        NotSaved,
        CashDrawerAssignmentAlreadyExists,
        LocationNotFound,
        PointOfSaleDeviceNotFound
    }
);

user_error!(
    PointOfSaleDeviceAssignToCashDrawerUserError,
    PointOfSaleDeviceAssignToCashDrawerUserErrorCode {
        InternalError,
        LocationMismatch,
        CashDrawerNotFound,
        PointOfSaleDeviceNotFound
    }
);

/// The drawer's number, or why there is none.
pub struct CashDrawerFindOrCreatePayload(Result<u64, CashDrawerFindOrCreateUserError>);

#[Object]
impl CashDrawerFindOrCreatePayload {
    async fn cash_drawer(&self, ctx: &Context<'_>) -> Option<Result<CashDrawer>> {
        let drawer = *self.0.as_ref().ok()?;
        Some(need(ctx, READ_CASH).map(|()| CashDrawer(drawer)))
    }
    async fn user_errors(&self) -> Vec<CashDrawerFindOrCreateUserError> {
        self.0.as_ref().err().cloned().into_iter().collect()
    }
}

/// The device's number, or why it was not moved.
pub struct PointOfSaleDeviceAssignToCashDrawerPayload(Result<u64, PointOfSaleDeviceAssignToCashDrawerUserError>);

#[Object]
impl PointOfSaleDeviceAssignToCashDrawerPayload {
    async fn point_of_sale_device(&self, ctx: &Context<'_>) -> Option<Result<PointOfSaleDevice>> {
        let device = *self.0.as_ref().ok()?;
        Some(need(ctx, READ_DEVICES).map(|()| PointOfSaleDevice(device)))
    }
    async fn user_errors(&self) -> Vec<PointOfSaleDeviceAssignToCashDrawerUserError> {
        self.0.as_ref().err().cloned().into_iter().collect()
    }
}

/// Finds the drawer of that name or makes it, and puts the device on it.
pub fn find_or_create(
    ctx: &Context<'_>,
    location: &ID,
    name: &str,
    device: &ID,
) -> Option<Result<CashDrawerFindOrCreatePayload>> {
    let outcome = || {
        need(ctx, WRITE_CASH)?;
        refused_by_fault(ctx)?;
        if number(location, "Location")? != LOCATION {
            return Err(refuse("LOCATION_NOT_FOUND", &["locationId"], "Location not found").into());
        }
        let device = known_device(ctx, device)?;
        if name.trim().is_empty() {
            return Err(refuse("NOT_SAVED", &["name"], "Name can't be blank").into());
        }
        Ok(shared(ctx).store().drawer_named(name, device))
    };
    settled(ctx, outcome()).map(|settled| settled.map(CashDrawerFindOrCreatePayload))
}

/// Moves the device to the drawer.
pub fn assign(ctx: &Context<'_>, drawer: &ID, device: &ID) -> Option<Result<PointOfSaleDeviceAssignToCashDrawerPayload>> {
    let outcome = || {
        need(ctx, WRITE_CASH)?;
        refused_by_fault(ctx)?;
        let drawer = number(drawer, "CashDrawer")?;
        let device = known_device(ctx, device)?;
        let mut store = shared(ctx).store();
        if !store.drawers().contains(&drawer) {
            return Err(refuse("CASH_DRAWER_NOT_FOUND", &["cashDrawerId"], "Cash drawer not found").into());
        }
        store.assign(device, drawer);
        Ok(device)
    };
    settled(ctx, outcome()).map(|settled| settled.map(PointOfSaleDeviceAssignToCashDrawerPayload))
}

fn known_device(ctx: &Context<'_>, id: &ID) -> Result<u64, No> {
    let device = number(id, "PointOfSaleDevice")?;
    if shared(ctx).store().spec.device_ids.contains(&device) {
        return Ok(device);
    }
    let message = "Point of sale device not found";
    Err(refuse("POINT_OF_SALE_DEVICE_NOT_FOUND", &["pointOfSaleDeviceId"], message).into())
}

/// A payload's content, or an error of the root field.
fn settled<E: From<Refusal>>(ctx: &Context<'_>, outcome: Result<u64, No>) -> Option<Result<Result<u64, E>>> {
    match outcome {
        Ok(number) => {
            scope(ctx).changed.store(true, Ordering::Release);
            Some(Ok(Ok(number)))
        }
        Err(No::Refused(refusal)) => Some(Ok(Err(refusal.into()))),
        Err(No::Failed(error)) => Some(Err(error)),
    }
}
