-- forward

-- One row per execution, in one partition per day of creation, so that forgetting a day is
-- dropping a table. `places` says where the bodies stand: [[object, offset, length], ...].
CREATE TABLE penstock.executions (
    day integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    workflow text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    mode text NOT NULL,
    status text NOT NULL,
    received_ms bigint NOT NULL,
    started_ms bigint NOT NULL,
    finished_ms bigint NOT NULL,
    waiting_for text NOT NULL,
    until_ms bigint NOT NULL,
    last_node integer NOT NULL,
    error text NOT NULL,
    retry_of text NOT NULL,
    parent text NOT NULL,
    places text NOT NULL,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);

CREATE INDEX executions_by_workflow ON penstock.executions (tenant, workflow, day, id);
CREATE INDEX executions_by_tenant ON penstock.executions (tenant, day, id);
-- The few that are not over, or went wrong, are looked for among the many that went well.
CREATE INDEX executions_unusual ON penstock.executions (tenant, status, day, id)
    WHERE status <> 'success';

-- How far a region's EXEC has been projected: everything up to `position` is in the rows, and
-- who goes on must read again from `read_from`, for the run requests that are not started yet.
CREATE TABLE penstock.watermarks (
    region text PRIMARY KEY,
    position bigint NOT NULL,
    read_from bigint NOT NULL
);

-- back

DROP TABLE penstock.watermarks;
DROP TABLE penstock.executions;
