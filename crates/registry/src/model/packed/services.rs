//! A compact encoding of the services of an announcement, each with its packed properties.

use super::properties::{Pairs, PairsSeed, PairsWriter, in_order, put, take};
use crate::model::service::Service;
use crate::model::text::Text;
use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde::ser::{SerializeSeq as _, SerializeStruct as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Services sorted by id. Each id occurs once.
///
/// airlift treats services as a set. Two announcements that differ only in the order of their
/// services are therefore equal.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Services {
    /// For each service: id, type, number of properties and their size in bytes (both `u32`, little
    /// endian), properties.
    packed: Vec<u8>,
    count: usize,
}

/// A service that borrows from its packed form.
#[derive(Clone, Copy)]
pub struct ServiceOf<'a> {
    /// The id of the service.
    pub id: &'a str,
    /// The type of the service.
    pub service_type: &'a str,
    /// The properties of the service.
    pub properties: Pairs<'a>,
}

impl Services {
    /// Returns the number of services.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there are no services.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns an iterator over the services.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ServiceOf<'_>> {
        let mut rest = &*self.packed;
        (0..self.count).map(move |_| ServiceOf::take(&mut rest))
    }

    /// Returns the size of the packed form in bytes.
    pub fn packed_bytes(&self) -> usize {
        self.packed.len()
    }

    /// Returns the services as separate values, which can be modified.
    pub fn to_vec(&self) -> Vec<Service> {
        self.iter().map(ServiceOf::to_service).collect()
    }
}

impl<'a> ServiceOf<'a> {
    fn take(packed: &mut &'a [u8]) -> ServiceOf<'a> {
        let (id, service_type) = (take(packed), take(packed));
        let (count, bytes) = (take_u32(packed), take_u32(packed));
        let (pairs, rest) = packed.split_at(bytes);
        *packed = rest;
        ServiceOf {
            id,
            service_type,
            properties: Pairs::new(pairs, count),
        }
    }

    /// Returns an owned copy.
    pub fn to_service(self) -> Service {
        Service {
            id: self.id.to_owned(),
            service_type: self.service_type.to_owned(),
            properties: self.properties.to_map(),
        }
    }
}

const LENGTHS: usize = 2 * size_of::<u32>();

fn take_u32(packed: &mut &[u8]) -> usize {
    let (number, rest) = packed.split_first_chunk().expect("packed here");
    *packed = rest;
    u32::from_le_bytes(*number) as usize
}

/// Packs services that are added in any order.
#[derive(Default)]
pub(crate) struct ServicesWriter {
    out: Vec<u8>,
    count: usize,
}

impl ServicesWriter {
    /// Creates a writer with capacity for `bytes` bytes.
    pub(crate) fn with_room(bytes: usize) -> ServicesWriter {
        ServicesWriter {
            out: Vec::with_capacity(bytes),
            count: 0,
        }
    }

    /// Adds a service, whose properties the callback `write` adds. The last of several services
    /// with the same id wins.
    ///
    /// # Errors
    /// Returns the errors of `write`. After an error, no part of the service is added.
    pub(crate) fn push<E>(
        &mut self,
        id: &str,
        service_type: &str,
        write: impl FnOnce(&mut PairsWriter<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.out.len();
        put(&mut self.out, id);
        put(&mut self.out, service_type);
        let lengths = self.out.len();
        self.out.extend_from_slice(&[0; LENGTHS]);
        let mut pairs = PairsWriter::new(&mut self.out);
        let written = write(&mut pairs);
        let count = pairs.finish() as u32;
        if written.is_err() {
            self.out.truncate(start);
            return written;
        }
        let bytes = (self.out.len() - lengths - LENGTHS) as u32;
        let lengths = &mut self.out[lengths..lengths + LENGTHS];
        lengths[..LENGTHS / 2].copy_from_slice(&count.to_le_bytes());
        lengths[LENGTHS / 2..].copy_from_slice(&bytes.to_le_bytes());
        self.count += 1;
        Ok(())
    }

    /// Removes all services.
    pub(crate) fn clear(&mut self) {
        self.out.clear();
        self.count = 0;
    }

    /// Sorts the services by id and returns them.
    pub(crate) fn finish(self) -> Services {
        let mut services = Services {
            packed: self.out,
            count: self.count,
        };
        let ids = services.iter().map(|service| service.id);
        if !ids.is_sorted_by(|one, next| one < next) {
            services.count = in_order(&mut services.packed, 0, services.count, |rest| {
                ServiceOf::take(rest);
            });
        }
        services.packed.shrink_to_fit();
        services
    }
}

impl FromIterator<Service> for Services {
    fn from_iter<I: IntoIterator<Item = Service>>(services: I) -> Services {
        let mut writer = ServicesWriter::default();
        for service in services {
            let pairs = &service.properties;
            let written = writer.push(&service.id, &service.service_type, |writer| {
                pairs.iter().for_each(|(k, v)| writer.push(k, v));
                Ok::<(), std::convert::Infallible>(())
            });
            match written {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
        writer.finish()
    }
}

impl From<Vec<Service>> for Services {
    fn from(services: Vec<Service>) -> Services {
        services.into_iter().collect()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(ServiceOf::to_service))
            .finish()
    }
}

const SERVICE_FIELDS: [&str; 3] = ["id", "service_type", "properties"];

impl Serialize for ServiceOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [id, service_type, properties] = SERVICE_FIELDS;
        let mut service = serializer.serialize_struct("Service", SERVICE_FIELDS.len())?;
        service.serialize_field(id, self.id)?;
        service.serialize_field(service_type, self.service_type)?;
        service.serialize_field(properties, &self.properties)?;
        service.end()
    }
}

impl Serialize for Services {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.count))?;
        for service in self.iter() {
            list.serialize_element(&service)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Services {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Services, D::Error> {
        deserializer.deserialize_seq(ServicesVisitor)
    }
}

struct ServicesVisitor;

impl<'de> Visitor<'de> for ServicesVisitor {
    type Value = Services;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of services")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Services, A::Error> {
        let mut writer = ServicesWriter::default();
        while list.next_element_seed(ServiceSeed(&mut writer))?.is_some() {}
        Ok(writer.finish())
    }
}

struct ServiceSeed<'w>(&'w mut ServicesWriter);

impl<'de> DeserializeSeed<'de> for ServiceSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_struct("Service", &SERVICE_FIELDS, self)
    }
}

impl<'de> Visitor<'de> for ServiceSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a service")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let missing = || A::Error::custom("a service ends too early");
        let id: Text<'de> = fields.next_element()?.ok_or_else(missing)?;
        let service_type: Text<'de> = fields.next_element()?.ok_or_else(missing)?;
        self.0.push(&id, &service_type, |pairs| {
            fields
                .next_element_seed(PairsSeed(pairs))?
                .ok_or_else(missing)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn service() -> impl Strategy<Value = Service> {
        let properties = prop::collection::btree_map("[a-c]{0,2}", "\\PC{0,5}", 0..4);
        ("[a-d]{1,2}", "\\PC{0,4}", properties).prop_map(|(id, service_type, properties)| Service {
            id,
            service_type,
            properties,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None, ..ProptestConfig::default()
        })]

        /// Services that are added in any order are equal to a list of the same services sorted by
        /// id, and have the same encoding.
        #[test]
        fn they_are_a_list_by_id(services in prop::collection::vec(service(), 0..12)) {
            let by_id: BTreeMap<String, Service> =
                services.iter().map(|service| (service.id.clone(), service.clone())).collect();
            let list: Vec<Service> = by_id.into_values().collect();
            let packed: Services = services.into();
            prop_assert_eq!(packed.to_vec(), list.clone());
            let bytes = postcard::to_allocvec(&list).unwrap();
            prop_assert_eq!(&postcard::to_allocvec(&packed).unwrap(), &bytes);
            prop_assert_eq!(postcard::from_bytes::<Services>(&bytes).unwrap(), packed);
        }
    }
}
