//! Configuration directories (`etc`) in airlift's format.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The environment of every test cluster.
pub const ENVIRONMENT: &str = "test";

/// The contents of one node's files. A test may change a field, and after [`Etc::write`] also a
/// file.
#[derive(Debug, Clone)]
pub struct Etc {
    /// The node's own directory, which contains `etc` and `data`.
    pub dir: PathBuf,
    pub node_id: String,
    pub port: u16,
    /// The lines of config.properties, except for the port and the inventory.
    pub settings: Vec<(String, String)>,
    /// The nodes of the inventory, each with its port. Without nodes, no inventory is written.
    pub inventory: Vec<(String, u16)>,
}

impl Etc {
    /// Returns the directory of the configuration files.
    pub fn etc_dir(&self) -> PathBuf {
        self.dir.join("etc")
    }

    /// Returns the node's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Writes every file that airlift's launcher expects in etc/.
    pub fn write(&self) {
        let etc = self.etc_dir();
        fs::create_dir_all(&etc).expect("a temporary directory");
        let mut config = format!("http-server.http.port={}\n", self.port);
        if !self.inventory.is_empty() {
            let inventory = etc.join("service-inventory.json");
            config += &format!("service-inventory.uri=file://{}\n", inventory.display());
            write(&inventory, &inventory_of(&self.inventory).to_string());
        }
        for (key, value) in &self.settings {
            config += &format!("{key}={value}\n");
        }
        write(&etc.join("config.properties"), &config);
        write(
            &etc.join("node.properties"),
            &format!(
                "node.environment={ENVIRONMENT}\nnode.id={}\n\
                 node.bind-ip=127.0.0.1\nnode.data-dir={}\n",
                self.node_id,
                self.data_dir().display()
            ),
        );
        write(&etc.join("log.properties"), "io.airlift=INFO\n");
        write(&etc.join("jvm.config"), "-server\n-Xmx1G\n");
    }
}

/// Returns a service-inventory.json that lists these nodes.
pub fn inventory_of(nodes: &[(String, u16)]) -> Value {
    let services: Vec<Value> = nodes
        .iter()
        .map(|(node_id, port)| {
            json!({
                "id": format!("id-of-{node_id}"), "nodeId": node_id,
                "type": "discovery", "pool": "general",
                "location": "/127.0.0.1", "state": "RUNNING",
                "properties": {"http": format!("http://127.0.0.1:{port}")},
            })
        })
        .collect();
    json!({"environment": ENVIRONMENT, "services": services})
}

/// Writes a file, or panics with its path.
pub fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
