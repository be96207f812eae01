-- Whether a device has ever proved its Endpoint ID by a certificate. Of those that are known already nobody knows; they
-- tell when they come again.
ALTER TABLE devices ADD COLUMN proven INTEGER NOT NULL DEFAULT 0;
