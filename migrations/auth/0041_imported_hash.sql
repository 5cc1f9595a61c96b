-- Users of Django's table are imported with the hashes that it has.
comment on column users_user.password_hash is 'argon2id, as a PHC string; of an imported user, until the first log-in, what Django stored: argon2$argon2id$… or pbkdf2_sha256$….';
