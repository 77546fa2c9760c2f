#!/bin/sh
# Run by the Nextcloud image once, after its installation.
set -e
php occ app:install openregister
php occ app:enable webhook_listeners
# Only needed when listeners or schema hooks are used: Nextcloud's own HTTP client refuses addresses such as
# http://orbridge:8080, and the event is then lost with a line in its log. OpenRegister's own webhooks do without.
php occ config:system:set allow_local_remote_servers --value=true --type=boolean
php occ background:cron
