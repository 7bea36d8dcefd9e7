//! The announcements and static services of a lookup, and their rendering as the JSON body.

use super::borrowed::BorrowedAnnouncement;
use super::growing::Growing;
use super::node_entry::PackedAnnouncement;
use crate::model::{StaticService, write_json_service, write_json_string};
use std::sync::Arc;

/// The announcements and static services from which a lookup is rendered. Collecting them is quick.
/// Rendering them may take long, but needs no access to the registry.
#[derive(Debug)]
pub(crate) struct Listed {
    pub environment: String,
    /// The type of the services to show; `None` shows all.
    pub only_type: Option<String>,
    pub nodes: Vec<PackedAnnouncement>,
    pub statics: Vec<Arc<StaticService>>,
    pub most_bytes: usize,
}

impl Listed {
    /// Returns an estimate of the size of the announcements and static services.
    pub fn packed_bytes(&self) -> usize {
        /// Typical size of a static service. Static services are small, and not packed, so their
        /// size is not computed.
        const STATIC_BYTES: usize = 256;
        let nodes: usize = self.nodes.iter().map(PackedAnnouncement::len).sum();
        nodes + self.statics.len() * STATIC_BYTES
    }

    /// Renders the JSON body.
    pub fn render(self) -> Vec<u8> {
        let mut body = Body::new(&self.environment, self.most_bytes);
        for node in &self.nodes {
            body.services(&node.unpack(), self.only_type.as_deref());
        }
        for service in &self.statics {
            service.write_json(body.next());
        }
        body.finish()
    }
}

/// A JSON body under construction.
struct Body {
    json: Growing,
    empty: bool,
}

impl Body {
    /// Creates a body of at most about `most_bytes` bytes.
    fn new(environment: &str, most_bytes: usize) -> Self {
        let mut json = Growing::new(most_bytes);
        let start = json.end();
        start.extend_from_slice(b"{\"environment\":");
        write_json_string(start, environment);
        start.extend_from_slice(b",\"services\":[");
        Self { json, empty: true }
    }

    fn next(&mut self) -> &mut Vec<u8> {
        let end = self.json.end();
        if !std::mem::take(&mut self.empty) {
            end.push(b',');
        }
        end
    }

    /// Appends the services of a node, or only those of one type.
    fn services(&mut self, node: &BorrowedAnnouncement<'_>, only_type: Option<&str>) {
        let wanted = |service_type: &str| only_type.is_none_or(|only| only == service_type);
        for service in node
            .services
            .iter()
            .filter(|service| wanted(service.service_type))
        {
            let texts = [service.service_type, node.pool, node.location];
            write_json_service(
                self.next(),
                service.id,
                Some(node.node_id),
                texts,
                service.properties.iter().copied(),
            );
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.json.end().extend_from_slice(b"]}\n");
        self.json.finish()
    }
}
