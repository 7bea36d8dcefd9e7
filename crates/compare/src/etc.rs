//! Writes the etc/ directories of nodes. airlift's server and quorate start from the same files.

use anyhow::Context;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// The node.environment of every measured cluster.
pub const ENVIRONMENT: &str = "bench";

/// Writes the files of a cluster that has one node for each of `ports`. Returns the directories of
/// the nodes. Each directory contains `etc` and an empty `data`.
///
/// # Errors
/// Fails if the directory cannot be written.
pub fn write(dir: &Path, ports: &[u16]) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let inventory = dir.join("service-inventory.json");
    write_file(&inventory, &inventory_of(ports))?;
    let nodes = ports.iter().enumerate();
    nodes
        .map(|(i, port)| {
            let node = dir.join(node_id(i));
            write_node(&node, &node_id(i), *port, &inventory)?;
            Ok(node)
        })
        .collect()
}

fn write_node(dir: &Path, node_id: &str, port: u16, inventory: &Path) -> anyhow::Result<()> {
    let (etc, data) = (dir.join("etc"), dir.join("data"));
    for made in [&etc, &data] {
        fs::create_dir_all(made).with_context(|| made.display().to_string())?;
    }
    let node = format!(
        "node.environment={ENVIRONMENT}\nnode.id={node_id}\nnode.data-dir={}\n",
        data.display()
    );
    write_file(&etc.join("node.properties"), &node)?;
    let config = format!(
        "http-server.http.port={port}\nservice-inventory.uri=file://{}\n",
        inventory.display()
    );
    write_file(&etc.join("config.properties"), &config)?;
    write_file(&etc.join("jvm.config"), "-server\n-Xmx1G\n")?;
    write_file(&etc.join("log.properties"), "io.airlift=INFO\n")
}

/// Adds lines to the config.properties of a node.
///
/// # Errors
/// Fails if the file cannot be written.
pub fn add_settings(node: &Path, lines: &str) -> anyhow::Result<()> {
    let path = node.join("etc/config.properties");
    let config = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    write_file(&path, &(config + lines))
}

fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}

fn node_id(index: usize) -> String {
    format!("node-{}", index + 1)
}

fn inventory_of(ports: &[u16]) -> String {
    let services: Vec<_> = ports
        .iter()
        .enumerate()
        .map(|(i, port)| {
            let node_id = node_id(i);
            json!({
                "id": format!("00000000-0000-4000-8000-{i:012}"),
                "nodeId": node_id,
                "type": "discovery",
                "pool": "general",
                "location": format!("/{node_id}"),
                "state": "RUNNING",
                "properties": {"http": format!("http://127.0.0.1:{port}")},
            })
        })
        .collect();
    json!({"environment": ENVIRONMENT, "services": services}).to_string()
}
