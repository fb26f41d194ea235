-- +goose Up
-- require_signed: the formats whose packages need a signature by a package key; signer: the key that a package says it
-- was signed with.
ALTER TABLE repositories ADD COLUMN require_signed TEXT NOT NULL DEFAULT '[]';
ALTER TABLE packages ADD COLUMN signer TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE packages DROP COLUMN signer;
ALTER TABLE repositories DROP COLUMN require_signed;
