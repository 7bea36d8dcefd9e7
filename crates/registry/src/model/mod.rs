//! The wire types and their exact JSON. Depends on no other module of the project.
//!
//! | file | purpose |
//! |---|---|
//! | `announcement`, `service` | announcements of nodes, static services |
//! | `announced_hosts` | the hosts of the addresses in an announcement |
//! | `lookup`, `coordinator` | queries and their results |
//! | `inventory` | the list of discovery nodes |
//! | `parse` | parses request bodies; an error is one line that names the field |
//! | `packed` | the compact in-memory form of services and properties |
//! | `json` | writes the exact JSON of a service |
//! | `address`, `host` | addresses that clients are redirected to, and hosts as in a URI |
//! | `fingerprint` | digests that are equal on every node and in every release |
//! | `quantity` | durations and data sizes in airlift's notation |
//! | `byte_order_mark` | the invisible first bytes of files written by some editors |
//! | `random_id` | UUIDs as airlift's clients expect them |
//! | `text` | a text that is borrowed if possible |

mod address;
mod announced_hosts;
mod announcement;
mod byte_order_mark;
mod coordinator;
mod fingerprint;
mod host;
mod inventory;
mod json;
mod lookup;
mod packed;
mod parse;
mod quantity;
mod random_id;
mod service;
mod text;

pub use address::{BadAddress, check_authority, client_address};
pub use announced_hosts::{BadAnnouncedAddress, announced_hosts};
pub(crate) use announcement::announcement_digest;
pub use announcement::{Announcement, StaticService};
pub use byte_order_mark::without_byte_order_mark;
pub use coordinator::{Coordinator, CoordinatorQuery, Coordinators, Engine, UnusableCoordinator};
pub use fingerprint::Fingerprint;
pub use host::Host;
pub use inventory::entries::{Inventory, InventoryEntry};
pub use inventory::limits::{
    ADDRESS_BYTES_MAX, INVENTORY_BYTES_MAX, MEMBERS_MAX, NODE_ID_BYTES_MAX, is_node_id,
};
pub use inventory::problem::{BadInventory, InventoryProblem};
pub use json::{json_service_bytes, write_json_service, write_json_string};
pub use lookup::Lookup;
pub use packed::properties::{Pairs, Properties};
pub use packed::services::{ServiceOf, Services};
pub use parse::announcement::{MAX_LOCATION_BYTES, MAX_NAME_BYTES, check_name};
pub use parse::bad_announcement::BadAnnouncement;
pub use parse::fields::MAX_NESTING;
pub use quantity::{BadQuantity, data_size_bytes, decimal, duration_ms, shown};
pub use random_id::{random_uuid, uuid_of};
pub use service::Service;
