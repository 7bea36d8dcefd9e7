//! Announcements and services that borrow their texts.

use crate::model::{Announcement, announcement_digest};
use serde::{Deserialize, Serialize};

/// An announcement that borrows its texts, from its packed form or from an [`Announcement`].
///
/// The encoding is the same as that of [`Announcement`], field by field. Maps are encoded like
/// lists of pairs.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BorrowedAnnouncement<'a> {
    pub node_id: &'a str,
    pub pool: &'a str,
    pub location: &'a str,
    #[serde(borrow)]
    pub services: Vec<BorrowedService<'a>>,
}

/// A service of [`BorrowedAnnouncement`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BorrowedService<'a> {
    pub id: &'a str,
    pub service_type: &'a str,
    #[serde(borrow)]
    pub properties: Vec<(&'a str, &'a str)>,
}

impl<'a> BorrowedAnnouncement<'a> {
    /// Borrows the texts of an announcement.
    pub fn of(announcement: &'a Announcement) -> Self {
        let services = announcement.services.iter().map(|service| BorrowedService {
            id: service.id,
            service_type: service.service_type,
            properties: service.properties.collect(),
        });
        Self {
            node_id: &announcement.node_id,
            pool: &announcement.pool,
            location: &announcement.location,
            services: services.collect(),
        }
    }

    /// Returns the digest of the announcement, as [`Announcement::digest`] does.
    pub fn digest(&self) -> u128 {
        let services = self.services.iter().map(|service| {
            let properties = service.properties.iter().copied();
            ([service.id, service.service_type], properties)
        });
        announcement_digest([self.node_id, self.pool, self.location], services)
    }
}

impl<'a> BorrowedService<'a> {
    /// Returns the value of a property.
    pub fn property(&self, name: &str) -> Option<&'a str> {
        self.properties
            .iter()
            .find_map(|(key, value)| (*key == name).then_some(*value))
    }

    /// Returns whether the service declares its node a coordinator. The value of the property is
    /// parsed as by Java's `Boolean.parseBoolean`.
    pub fn says_coordinator(&self) -> bool {
        is_true(self.property("coordinator"))
    }
}

/// Returns whether a property is present and true according to Java's `Boolean.parseBoolean`.
pub(crate) fn is_true(property: Option<&str>) -> bool {
    property.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Service;
    use proptest::prelude::*;

    fn services() -> impl Strategy<Value = Vec<Service>> {
        let properties = prop::collection::btree_map("[ab]{0,2}", "\\PC{0,3}", 0..4);
        let service = ("[ab]{0,3}", "[ab]{0,2}", properties);
        let service = service.prop_map(|(id, service_type, properties)| Service {
            id,
            service_type,
            properties,
        });
        prop::collection::vec(service, 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None, ..ProptestConfig::default()
        })]

        /// A borrowed announcement has the encoding and the digest of the announcement, and is what
        /// that encoding is read as.
        #[test]
        fn it_is_the_announcement(services in services(), names in "[ab]{0,2}") {
            let announcement = Announcement {
                node_id: names.clone(),
                pool: format!("{names}p"),
                location: format!("{names}l"),
                services: services.into(),
            };
            let borrowed = BorrowedAnnouncement::of(&announcement);
            let bytes = postcard::to_allocvec(&announcement).unwrap();
            prop_assert_eq!(&postcard::to_allocvec(&borrowed).unwrap(), &bytes);
            let read: BorrowedAnnouncement<'_> = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(read, borrowed);
            prop_assert_eq!(
                BorrowedAnnouncement::of(&announcement).digest(),
                announcement.digest()
            );
        }
    }
}
