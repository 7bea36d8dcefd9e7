//! Parses an inventory.

use super::entries::{Inventory, InventoryEntry};
use super::limits::{
    ADDRESS_BYTES_MAX, INVENTORY_BYTES_MAX, MEMBERS_MAX, NODE_ID_BYTES_MAX, is_node_id,
};
use super::problem::{BadInventory, InventoryProblem};
use crate::model::byte_order_mark::without_byte_order_mark;
use crate::model::host::Host;
use http::Uri;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

impl Inventory {
    /// Parses an inventory. Error messages name `source`, which is the file or URI. Entries of
    /// types other than `discovery` are skipped, and fields that discovery does not need are
    /// ignored, like in airlift.
    ///
    /// # Errors
    /// Returns an error that names the entry and its field.
    pub fn parse(bytes: &[u8], source: &str) -> Result<Self, BadInventory> {
        let inventory = parse(bytes, source);
        inventory.map_err(|problem| BadInventory {
            file: source.to_owned(),
            problem,
        })
    }
}

/// Parses an inventory. Checks the limits, and that node ids and addresses are distinct.
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

/// Returns the entry at `index`, or `None` if it is not of type `discovery`.
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
            canonical_address(address, "http").map_err(|what| ("properties.http", what))
        }
        (Some(_), _) => Err(("properties.http", "must be a string".to_owned())),
        (None, Some(Value::String(address))) => {
            canonical_address(address, "https").map_err(|what| ("properties.https", what))
        }
        (None, Some(_)) => Err(("properties.https", "must be a string".to_owned())),
        (None, None) => Err((
            "properties.http",
            "is missing: the node has no address".to_owned(),
        )),
    }
}

/// Returns the canonical form `scheme://host:port`: no path, an explicit port, and the host as
/// [`Host`] writes it. The scheme is `http` or `https`.
pub(super) fn canonical_address(text: &str, scheme: &str) -> Result<String, String> {
    let bad = |what: &str| format!("`{}` {what}", text.chars().take(256).collect::<String>());
    let uri: Uri = text
        .trim()
        .parse()
        .map_err(|error| bad(&format!("is not a URI: {error}")))?;
    if uri.scheme_str() != Some(scheme) {
        return Err(bad(&format!("must start with {scheme}://")));
    }
    let authority = uri.authority().ok_or_else(|| bad("has no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad("must not contain a user name"));
    }
    let host = authority.host();
    if host.is_empty() {
        return Err(bad("has no host"));
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(bad("must not have a path"));
    }
    // `port_u16` returns `None` if there is no port, and also if the port is not a number.
    let written = authority.as_str().strip_prefix(host).unwrap_or_default();
    let port = match (written, authority.port_u16()) {
        ("", _) if scheme == "https" => 443,
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
    let address = format!("{scheme}://{host}:{port}");
    match address.len() <= ADDRESS_BYTES_MAX {
        true => Ok(address),
        false => Err(bad(&format!("must have at most {ADDRESS_BYTES_MAX} bytes"))),
    }
}
