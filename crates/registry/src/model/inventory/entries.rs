//! The service inventory: who the discovery nodes are, in airlift's own file format.

use crate::model::byte_order_mark::without_byte_order_mark;
use crate::model::host::Host;
use http::Uri;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use thiserror::Error;

/// The longest `node.id`: a host name has at most 253 bytes, and a node id travels in every request between nodes.
pub const NODE_ID_BYTES_MAX: usize = 256;

/// The longest address of a discovery node: a host name has at most 253 bytes, and an address
/// travels in the log.
pub const ADDRESS_BYTES_MAX: usize = 512;

/// The largest inventory that is parsed: 64 entries need some 30 kB, the rest may be entries of other types.
pub const INVENTORY_BYTES_MAX: usize = 1 << 20;

/// The most discovery nodes in one inventory. Every one talks to every other, and a group beyond nine only gets slower.
pub const MEMBERS_MAX: usize = 64;

/// Whether a text may be a `node.id`: airlift's pattern `[A-Za-z0-9][_A-Za-z0-9-]*`, up to [`NODE_ID_BYTES_MAX`].
pub fn is_node_id(text: &str) -> bool {
    text.len() <= NODE_ID_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The discovery nodes of one environment.
///
/// - Between 1 and [`MEMBERS_MAX`] entries, sorted by node id.
/// - Node ids are distinct, and so are addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The environment that the file is for.
    pub environment: String,
    /// The discovery nodes, sorted by node id.
    pub entries: Vec<InventoryEntry>,
    /// Where it came from, for messages.
    source: String,
}

/// One discovery node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryEntry {
    /// Its `node.id`.
    pub node_id: String,
    /// Where it is reached: `http://host:port`, without a path.
    pub address: String,
}

impl InventoryEntry {
    /// The port of its address.
    pub fn port(&self) -> Option<u16> {
        self.address.rsplit(':').next()?.parse().ok()
    }
}

/// An inventory that cannot be used, with the place in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}: {problem}")]
pub struct BadInventory {
    /// The file or URI.
    pub file: String,
    /// What is wrong.
    pub problem: InventoryProblem,
}

/// What can be wrong with an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InventoryProblem {
    /// Over [`INVENTORY_BYTES_MAX`].
    #[error("is larger than {INVENTORY_BYTES_MAX} bytes")]
    TooLarge,
    /// Nothing in the file.
    #[error("is empty")]
    Empty,
    /// Not UTF-8 but UTF-16 or UTF-32, as its byte order mark says.
    #[error("is {0}: save it as UTF-8")]
    Encoding(&'static str),
    /// Not JSON at all.
    #[error("is not JSON: {0}")]
    NotJson(String),
    /// A field outside the entries is absent or of the wrong kind.
    #[error("{field}: {what}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is expected.
        what: &'static str,
    },
    /// A field of an entry is absent, of the wrong kind or malformed.
    #[error("services[{index}]{}: {field}: {what}", named(node_id))]
    Entry {
        /// The place in `services`, from 0.
        index: usize,
        /// Its node id, when it has one.
        node_id: Option<String>,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// No entry of type `discovery`.
    #[error("has no service of type `discovery`")]
    NoDiscovery,
    /// More than [`MEMBERS_MAX`].
    #[error("has {0} services of type `discovery`; at most {MEMBERS_MAX} are allowed")]
    TooMany(usize),
    /// Two entries with one node id.
    #[error("services[{first}] and services[{second}] have the same nodeId {node_id}")]
    DuplicateNode {
        /// The place of the first.
        first: usize,
        /// The place of the second.
        second: usize,
        /// What both have.
        node_id: String,
    },
    /// Two nodes at one address.
    #[error("services[{first}] and services[{second}] have the same address {address}")]
    DuplicateAddress {
        /// The place of the first.
        first: usize,
        /// The place of the second.
        second: usize,
        /// What both have.
        address: String,
    },
    /// It is for another environment.
    #[error("environment: is `{found}`, but node.environment is `{expected}`")]
    Environment {
        /// What the file says.
        found: String,
        /// What the node is configured with.
        expected: String,
    },
    /// The node is not listed.
    #[error(
        "has no service of type `discovery` with nodeId {node_id} (node.id); it lists {listed}"
    )]
    NotListed {
        /// The node's own id.
        node_id: String,
        /// The ids that are listed.
        listed: String,
    },
}

fn named(node_id: &Option<String>) -> String {
    node_id
        .as_ref()
        .map(|id| format!(" (nodeId {id})"))
        .unwrap_or_default()
}

impl Inventory {
    /// Reads an inventory; `source` is the file or URI, for messages. Entries of other types than `discovery` are skipped,
    /// and fields that discovery does not need are ignored, as airlift does.
    ///
    /// # Errors
    /// Names the entry and its field.
    pub fn parse(bytes: &[u8], source: &str) -> Result<Self, BadInventory> {
        let inventory = parse(bytes, source);
        inventory.map_err(|problem| BadInventory {
            file: source.to_owned(),
            problem,
        })
    }

    /// This node's own entry.
    ///
    /// # Errors
    /// When it is not listed, with the ids that are.
    pub fn own(&self, node_id: &str) -> Result<&InventoryEntry, BadInventory> {
        let own = self.entries.iter().find(|entry| entry.node_id == node_id);
        own.ok_or_else(|| {
            let listed: Vec<&str> = self
                .entries
                .iter()
                .map(|entry| entry.node_id.as_str())
                .collect();
            self.bad(InventoryProblem::NotListed {
                node_id: node_id.to_owned(),
                listed: listed.join(", "),
            })
        })
    }

    /// Every entry but this node's own.
    pub fn peers<'a>(&'a self, node_id: &'a str) -> impl Iterator<Item = &'a InventoryEntry> {
        self.entries
            .iter()
            .filter(move |entry| entry.node_id != node_id)
    }

    /// Checks that it is for this environment.
    ///
    /// # Errors
    /// With both names when it is for another.
    pub fn require_environment(&self, environment: &str) -> Result<(), BadInventory> {
        if self.environment == environment {
            return Ok(());
        }
        Err(self.bad(InventoryProblem::Environment {
            found: self.environment.clone(),
            expected: environment.to_owned(),
        }))
    }

    /// A digest of the environment and the sorted node ids. Two nodes with equal digests mean the same group; addresses
    /// are left out, since a node may see a peer under another name.
    pub fn digest(&self) -> u64 {
        let mut hash = Sha256::new();
        let ids = self.entries.iter().map(|entry| &entry.node_id);
        for part in std::iter::once(&self.environment).chain(ids) {
            // The length keeps `ab`,`c` apart from `a`,`bc`.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        digest
            .iter()
            .take(8)
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }

    fn bad(&self, problem: InventoryProblem) -> BadInventory {
        BadInventory {
            file: self.source.clone(),
            problem,
        }
    }
}

fn parse(bytes: &[u8], source: &str) -> Result<Inventory, InventoryProblem> {
    if bytes.len() > INVENTORY_BYTES_MAX {
        return Err(InventoryProblem::TooLarge);
    }
    let bytes = without_byte_order_mark(bytes).map_err(InventoryProblem::Encoding)?;
    if bytes.trim_ascii().is_empty() {
        return Err(InventoryProblem::Empty);
    }
    let json: Value = serde_json::from_slice(bytes)
        .map_err(|error| InventoryProblem::NotJson(error.to_string()))?;
    let field = |field, what| InventoryProblem::Field { field, what };
    let root = json
        .as_object()
        .ok_or(field("the file", "must be a JSON object"))?;
    let environment = root.get("environment").and_then(Value::as_str);
    let environment = environment
        .filter(|text| !text.is_empty())
        .ok_or(field("environment", "must be a string"))?;
    let services = root
        .get("services")
        .and_then(Value::as_array)
        .ok_or(field("services", "must be an array"))?;

    let mut nodes: BTreeMap<String, usize> = BTreeMap::new();
    let mut addresses: BTreeMap<String, usize> = BTreeMap::new();
    let mut entries = Vec::new();
    for (index, service) in services.iter().enumerate() {
        let Some(entry) = discovery_entry(index, service)? else {
            continue;
        };
        if let Some(first) = nodes.insert(entry.node_id.clone(), index) {
            return Err(InventoryProblem::DuplicateNode {
                first,
                second: index,
                node_id: entry.node_id,
            });
        }
        if let Some(first) = addresses.insert(entry.address.clone(), index) {
            return Err(InventoryProblem::DuplicateAddress {
                first,
                second: index,
                address: entry.address,
            });
        }
        entries.push(entry);
    }
    match entries.len() {
        0 => return Err(InventoryProblem::NoDiscovery),
        1..=MEMBERS_MAX => {}
        many => return Err(InventoryProblem::TooMany(many)),
    }
    entries.sort_by(|a, b| a.node_id.cmp(&b.node_id));
    Ok(Inventory {
        environment: environment.to_owned(),
        entries,
        source: source.to_owned(),
    })
}

/// The entry at `index`, or none when it is not of type `discovery`.
fn discovery_entry(
    index: usize,
    service: &Value,
) -> Result<Option<InventoryEntry>, InventoryProblem> {
    let node_id = service
        .get("nodeId")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let wrong = |field: &'static str, what: &str| InventoryProblem::Entry {
        index,
        node_id: node_id.clone(),
        field,
        what: what.to_owned(),
    };
    let service = service
        .as_object()
        .ok_or_else(|| wrong("the entry", "must be a JSON object"))?;
    let service_type = service.get("type").and_then(Value::as_str);
    if service_type.ok_or_else(|| wrong("type", "must be a string"))? != "discovery" {
        return Ok(None);
    }
    let id = node_id
        .clone()
        .ok_or_else(|| wrong("nodeId", "must be a string"))?;
    if !is_node_id(&id) {
        let what = format!(
            "must match [A-Za-z0-9][_A-Za-z0-9-]* and have at most {NODE_ID_BYTES_MAX} bytes"
        );
        let shown = id.chars().take(64).collect();
        return Err(InventoryProblem::Entry {
            index,
            node_id: Some(shown),
            field: "nodeId",
            what,
        });
    }
    let address = address(service).map_err(|(field, what)| wrong(field, &what))?;
    Ok(Some(InventoryEntry {
        node_id: id,
        address,
    }))
}

fn address(service: &Map<String, Value>) -> Result<String, (&'static str, String)> {
    let property = |name| {
        service
            .get("properties")
            .and_then(|properties| properties.get(name))
    };
    match (property("http"), property("https")) {
        (Some(Value::String(address)), _) => {
            http_address(address).map_err(|what| ("properties.http", what))
        }
        (Some(_), _) => Err(("properties.http", "must be a string".to_owned())),
        (None, Some(_)) => Err((
            "properties.https",
            "TLS between the discovery nodes is not supported yet; give properties.http".to_owned(),
        )),
        (None, None) => Err((
            "properties.http",
            "is missing: the node has no address".to_owned(),
        )),
    }
}

/// `http://host:port` in one spelling: without a path, the port always there, an address as
/// [`Host`] writes it.
pub(super) fn http_address(text: &str) -> Result<String, String> {
    let bad = |what: &str| format!("`{}` {what}", text.chars().take(256).collect::<String>());
    let uri: Uri = text
        .trim()
        .parse()
        .map_err(|error| bad(&format!("is not a URI: {error}")))?;
    if uri.scheme_str() != Some("http") {
        return Err(bad("must start with http://"));
    }
    let authority = uri.authority().ok_or_else(|| bad("has no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad("must not hold a user name"));
    }
    let host = authority.host();
    if host.is_empty() {
        return Err(bad("has no host"));
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(bad("must not have a path"));
    }
    // `port_u16` is none both for no port and for one that is no number.
    let written = authority.as_str().strip_prefix(host).unwrap_or_default();
    let port = match (written, authority.port_u16()) {
        ("", _) => 80,
        (_, Some(port)) if port != 0 => port,
        _ => return Err(bad("has a port outside 1 to 65535")),
    };
    let host: Host = if host.starts_with('[') {
        host.parse()
            .map_err(|what| bad(&format!("has a host that {what}")))?
    } else {
        Host::name(host)
    };
    let address = format!("http://{host}:{port}");
    match address.len() <= ADDRESS_BYTES_MAX {
        true => Ok(address),
        false => Err(bad(&format!("must have at most {ADDRESS_BYTES_MAX} bytes"))),
    }
}
