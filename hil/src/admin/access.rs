//! Which scope covers what, and the error when it is missing.
//! Source: fact sheet of the Admin API, "Scopes" and "ACCESS_DENIED" (recorded answers).
use async_graphql::{Context, Error, ErrorExtensions};

/// Every scope the stand-in knows.
pub const ALL: &[&str] = &[
    "write_cash_tracking",
    "read_cash_tracking",
    "read_point_of_sale_devices",
    "read_orders",
    "read_users",
    "read_locations",
];

/// Open, count, close.
pub const WRITE_CASH: &[&str] = &["write_cash_tracking"];
/// Sessions, drawers, reason codes.
pub const READ_CASH: &[&str] = &["read_cash_tracking"];
/// A device as an object; any one of them.
pub const READ_DEVICES: &[&str] = &["read_orders", "read_marketplace_orders", "read_point_of_sale_devices"];
/// A staff member as an object.
pub const READ_STAFF: &[&str] = &["read_users"];
/// A location as an object.
pub const READ_LOCATIONS: &[&str] = &["read_locations"];

/// The scopes of the token a request came with.
pub struct Granted(pub Vec<String>);

/// Refuses the field being resolved unless one of `any_of` is granted.
pub fn need(ctx: &Context<'_>, any_of: &[&str]) -> Result<(), Error> {
    let granted = &ctx.data::<Granted>()?.0;
    if any_of.iter().any(|scope| granted.iter().any(|have| have == scope)) {
        return Ok(());
    }
    Err(denied(ctx.item.node.name.node.as_str(), any_of))
}

/// The error in the shape that was recorded.
pub fn denied(field: &str, any_of: &[&str]) -> Error {
    let required = format!("`{}` access scope.", any_of.join("` or `"));
    Error::new(format!("Access denied for {field} field. Required access: {required}")).extend_with(|_, extensions| {
        extensions.set("code", "ACCESS_DENIED");
        extensions.set("documentation", "https://shopify.dev/api/usage/access-scopes");
        extensions.set("requiredAccess", required.clone());
    })
}
