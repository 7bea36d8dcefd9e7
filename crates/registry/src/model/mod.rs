//! The wire types and their exact JSON. Uses nothing of ours.
//!
//! | file | what it is for |
//! |---|---|
//! | `address` | which addresses clients are sent to |
//! | `announcement` | a client's body in, or one line that names the wrong field |
//! | `byte_order_mark` | the invisible first bytes of files that editors write |
//! | `coordinator` | what is asked and answered about coordinators |
//! | `fields` | one JSON object at a time, scalars coerced as Jackson coerces them |
//! | `fingerprint` | digests that every node and every release computes alike |
//! | `host` | the host of an address, as it is written in a URI |
//! | `json` | the exact JSON of a service out |
//! | `properties`, `services` | what an announcement consists of, packed |
//! | `quantity` | durations and data sizes as airlift writes them |

mod address;
mod byte_order_mark;
mod coordinator;
mod fingerprint;
mod host;
mod json;
mod packed;
mod parse;
mod quantity;
mod random_id;
mod text;

pub use address::{BadAddress, check_authority, client_address};
pub use byte_order_mark::without_byte_order_mark;
pub use coordinator::{Coordinator, CoordinatorQuery, Coordinators, Engine, UnusableCoordinator};
pub use fingerprint::Fingerprint;
pub use host::Host;
pub use json::{json_service_bytes, write_json_service, write_json_string};
pub use packed::properties::{Pairs, Properties};
pub use packed::services::{ServiceOf, Services};
pub use parse::announcement::{BadAnnouncement, MAX_NAME_BYTES, check_name};
pub use parse::fields::MAX_NESTING;
pub use quantity::{data_size_bytes, duration_ms, shown};
pub use random_id::{random_uuid, uuid_of};

mod inventory;
pub use inventory::entries::{
    ADDRESS_BYTES_MAX, BadInventory, INVENTORY_BYTES_MAX, Inventory, InventoryEntry,
    InventoryProblem, MEMBERS_MAX, NODE_ID_BYTES_MAX, is_node_id,
};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One service of an announcement by itself, to be put together or changed; see [`Services`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    /// The service's id, as the client sent it.
    pub id: String,
    /// Its type, for example `presto` or `trino-coordinator`.
    pub service_type: String,
    /// Its properties: scalars, already coerced to strings.
    pub properties: BTreeMap<String, String>,
}

/// Everything that one node announces; each announcement replaces the node's last one.
///
/// The environment is checked at the edge and is not kept: it is the cluster's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The node id of the path, not of the body.
    pub node_id: String,
    /// The pool of all its services.
    pub pool: String,
    /// The location as it came, or `/somewhere/<node id>`.
    pub location: String,
    /// Its services.
    pub services: Services,
}

/// A service posted once by hand, which stays until it is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticService {
    /// Drawn at random by the node that took the request.
    pub id: String,
    /// Its type.
    pub service_type: String,
    /// Its pool.
    pub pool: String,
    /// Its location; `/somewhere/<id>` when none was given.
    pub location: String,
    /// Its properties.
    pub properties: Properties,
}

/// What a lookup asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lookup {
    /// `GET /v1/service`
    All,
    /// `GET /v1/service/{type}`
    Type(String),
    /// `GET /v1/service/{type}/{pool}`
    TypeAndPool(String, String),
    /// `GET /v1/announcement/static`
    Statics,
}
