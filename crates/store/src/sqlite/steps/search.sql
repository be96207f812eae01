-- What a search looks at, beside the Endpoint ID in whose order it is told: so a search reads this and nothing else.
CREATE INDEX devices_text ON devices (endpoint_id, lower(endpoint_id || char(10) || coalesce(alias, '') || char(10)
    || coalesce(manufacturer, '') || char(10) || coalesce(oui, '') || char(10)
    || coalesce(product_class, '') || char(10) || coalesce(serial_number, '') || char(10)
    || coalesce(hardware_version, '') || char(10) || coalesce(software_version, '') || char(10)
    || coalesce(remote_address, '')));
