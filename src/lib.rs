//! drawerbridge joins the cash drawer's sensor, the counted float and Shopify's register session.
//!
//! # The words
//! till: one register, its devices and one Shopify `PointOfSaleDevice` · drawer · kick: the pulse that opens it · float: the
//! cash in the drawer at shift start · count: what a person counted · shift · opening: one attempt of a person to open a
//! shift, from the drawer opening to the slip · session: Shopify's payment session · slip: the printed shift-start receipt ·
//! profile: the facts about one device model.
//!
//! # The rooms
//! Knowledge points one way: `cli`, `daemon`, `api` → `shift`, `opening`, `device` → `driver`, `slip`, `money` → `code_page` → nothing.
pub mod api;
pub mod cli;
pub mod clock;
pub mod code_page;
pub mod config;
pub mod daemon;
pub mod device;
pub mod driver;
pub mod journal;
pub mod money;
pub mod opening;
pub mod saboteur;
pub mod shift;
pub mod shopify;
pub mod slip;
pub mod transport;
