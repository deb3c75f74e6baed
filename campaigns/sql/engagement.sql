-- name: engagement_hold
-- Nobody sums events until the transaction ends.
SELECT cursor FROM engagement_state FOR UPDATE;
