//! The statements of devices that come on board.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Sqlite;
use super::statements::{Done, must_exist};
use crate::limits::{MODELS_BYTES_MAX, MODELS_MAX, SUBSCRIPTIONS_MAX};
use crate::onboarding::{Described, DeviceState, ModelEntry, Product, Subscription};
use crate::{Milliseconds, StoreError};

const PRODUCT: &str =
    "manufacturer = ?1 AND oui = ?2 AND product_class = ?3 AND software_version = ?4";

impl Sqlite {
    pub(crate) fn describe(&self, said: Vec<Described>) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| said.iter().try_for_each(|each| describe(connection, each)))
    }

    pub(crate) fn device_state(&self, id: &str) -> Result<Option<DeviceState>, StoreError> {
        self.read(|connection| {
            let name: Option<String> = connection
                .prepare_cached("SELECT state FROM devices WHERE endpoint_id = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            Ok(name.as_deref().map(DeviceState::named))
        })
    }

    pub(crate) fn set_device_state(
        &self,
        id: String,
        state: DeviceState,
    ) -> Result<(), StoreError> {
        self.writer.write(move |connection| {
            let changed = connection
                .prepare_cached("UPDATE devices SET state = ?2 WHERE endpoint_id = ?1")?
                .execute(params![id, state.name()])?;
            must_exist(&id, changed)
        })
    }

    pub(crate) fn pending_devices(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT endpoint_id FROM devices WHERE state <> 'approved' LIMIT ?1",
            )?;
            let found = statement.query_map([limit], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    pub(crate) fn proven_devices(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT endpoint_id FROM devices WHERE proven <> 0")?;
            let found = statement.query_map([], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    pub(crate) fn pending_since(
        &self,
        before: Milliseconds,
        limit: usize,
    ) -> Result<Vec<(String, Milliseconds)>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT endpoint_id, last_seen FROM devices
                 WHERE state <> 'approved' AND last_seen < ?1 ORDER BY last_seen LIMIT ?2",
            )?;
            let found = statement
                .query_map(params![before, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    pub(crate) fn remove_pending(
        &self,
        devices: Vec<(String, Milliseconds)>,
    ) -> Result<(), StoreError> {
        self.writer.write(move |connection| {
            let mut remove = connection.prepare_cached(
                "DELETE FROM devices
                 WHERE endpoint_id = ?1 AND last_seen = ?2 AND state <> 'approved'",
            )?;
            for (id, seen) in &devices {
                if remove.execute(params![id, seen])? > 0 {
                    super::events::remove(connection, id)?;
                }
            }
            Ok(())
        })
    }

    pub(crate) fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, notif_type, reference_list, created FROM subscriptions ORDER BY name",
            )?;
            let found = statement.query_map([], subscription)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    pub(crate) fn put_subscription(&self, subscription: Subscription) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| put_subscription(connection, &subscription))
    }

    pub(crate) fn remove_subscription(&self, name: String) -> Result<(), StoreError> {
        self.writer.write(move |connection| {
            let removed = connection
                .prepare_cached("DELETE FROM subscriptions WHERE name = ?1")?
                .execute([&name])?;
            match removed {
                0 => Err(StoreError::NoSubscription(name.clone()).into()),
                _ => Ok(()),
            }
        })
    }

    pub(crate) fn put_model(&self, entry: ModelEntry, content: String) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| put_model(connection, &entry, &content))
    }

    pub(crate) fn model(
        &self,
        product: &Product,
    ) -> Result<Option<(Milliseconds, String)>, StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT fetched, content FROM models WHERE {PRODUCT}");
            let found = connection
                .prepare_cached(&sql)?
                .query_row(key(product), |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(found.optional()?)
        })
    }

    pub(crate) fn models(&self) -> Result<Vec<ModelEntry>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT manufacturer, oui, product_class, software_version, device, fetched, bytes
                 FROM models ORDER BY manufacturer, oui, product_class, software_version",
            )?;
            let found = statement.query_map([], entry)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    pub(crate) fn remove_model(&self, product: Product) -> Result<(), StoreError> {
        self.writer.write(move |connection| {
            connection
                .prepare_cached(&format!("DELETE FROM models WHERE {PRODUCT}"))?
                .execute(key(&product))?;
            Ok(())
        })
    }
}

/// An unknown device stays unknown.
fn describe(connection: &Connection, said: &Described) -> Done {
    let Described {
        endpoint_id,
        description,
        subscriptions,
    } = said;
    connection
        .prepare_cached(
            "UPDATE devices SET
                manufacturer = coalesce(?2, manufacturer),
                oui = coalesce(?3, oui),
                product_class = coalesce(?4, product_class),
                serial_number = coalesce(?5, serial_number),
                hardware_version = coalesce(?6, hardware_version),
                software_version = coalesce(?7, software_version),
                protocol_versions = coalesce(?8, protocol_versions),
                subscriptions = coalesce(?9, subscriptions)
             WHERE endpoint_id = ?1",
        )?
        .execute(params![
            endpoint_id,
            description.manufacturer,
            description.oui,
            description.product_class,
            description.serial_number,
            description.hardware_version,
            description.software_version,
            description.protocol_versions,
            subscriptions,
        ])?;
    Ok(())
}

fn put_subscription(connection: &Connection, wanted: &Subscription) -> Done {
    let others: i64 = connection
        .prepare_cached("SELECT count(*) FROM subscriptions WHERE name <> ?1")?
        .query_row([&wanted.name], |row| row.get(0))?;
    if others >= SUBSCRIPTIONS_MAX {
        let reason =
            format!("{SUBSCRIPTIONS_MAX} Subscriptions are kept, and more are not allowed");
        return Err(StoreError::Invalid(reason).into());
    }
    connection
        .prepare_cached(
            "INSERT INTO subscriptions (name, notif_type, reference_list, created)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET notif_type = ?2, reference_list = ?3, created = ?4",
        )?
        .execute(params![
            wanted.name,
            wanted.notif_type,
            wanted.references.join("\n"),
            wanted.created,
        ])?;
    Ok(())
}

fn put_model(connection: &Connection, entry: &ModelEntry, content: &str) -> Done {
    let product = &entry.product;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO models
                (manufacturer, oui, product_class, software_version, device, fetched, bytes, content)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            product.manufacturer,
            product.oui,
            product.product_class,
            product.software_version,
            entry.device,
            entry.fetched,
            i64::try_from(entry.bytes).unwrap_or(i64::MAX),
            content,
        ])?;
    // The newest stays, however large it is.
    connection
        .prepare_cached(
            "DELETE FROM models WHERE rowid IN (
                SELECT rowid FROM (
                    SELECT rowid,
                        row_number() OVER newest AS place,
                        sum(bytes) OVER newest AS total
                    FROM models
                    WINDOW newest AS (ORDER BY fetched DESC, rowid DESC ROWS UNBOUNDED PRECEDING)
                ) WHERE place > ?1 OR (place > 1 AND total > ?2)
            )",
        )?
        .execute(params![MODELS_MAX, MODELS_BYTES_MAX])?;
    Ok(())
}

fn key(product: &Product) -> [&str; 4] {
    [
        &product.manufacturer,
        &product.oui,
        &product.product_class,
        &product.software_version,
    ]
}

fn subscription(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    let references: String = row.get(2)?;
    Ok(Subscription {
        name: row.get(0)?,
        notif_type: row.get(1)?,
        references: references.lines().map(str::to_owned).collect(),
        created: row.get(3)?,
    })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<ModelEntry> {
    let bytes: i64 = row.get(6)?;
    Ok(ModelEntry {
        product: Product {
            manufacturer: row.get(0)?,
            oui: row.get(1)?,
            product_class: row.get(2)?,
            software_version: row.get(3)?,
        },
        device: row.get(4)?,
        fetched: row.get(5)?,
        bytes: bytes.unsigned_abs(),
    })
}
