-- description: How each candidate's daily profit correlates with that of each accepted alpha, on the days both have
-- input: candidate_pnl(alpha_id, date, pnl)
-- input: pool_pnl(alpha_id, date, pnl)
-- param: minimum_days = 250
-- check: unique(alpha_id, pool_alpha_id)
-- check: not_null(alpha_id, pool_alpha_id, common_days, enough_days)

-- The caller passes search-window days only. A correlation is null where there is no common day or one side does not
-- vary. It is rounded since DuckDB adds up in an order that depends on its threads. The last two columns repeat the
-- candidate's worst case.
with candidates as (
    select
        alpha_id,
        date,
        pnl
    from candidate_pnl
    where isfinite(pnl)
),

accepted as (
    select
        alpha_id,
        date,
        pnl
    from pool_pnl
    where isfinite(pnl)
),

candidate_ids as (
    select distinct alpha_id from candidate_pnl
),

pool_ids as (
    select distinct alpha_id from pool_pnl
),

pairs as (
    select
        candidate_ids.alpha_id,
        pool_ids.alpha_id as pool_alpha_id
    from candidate_ids
    cross join pool_ids
),

correlations as (
    select
        candidates.alpha_id,
        accepted.alpha_id as pool_alpha_id,
        corr(candidates.pnl, accepted.pnl) as raw_correlation,
        count(*) as joint_days
    from candidates
    inner join accepted on candidates.date = accepted.date
    group by candidates.alpha_id, accepted.alpha_id
),

measured as (
    select
        pairs.alpha_id,
        pairs.pool_alpha_id,
        coalesce(correlations.joint_days, 0) as common_days,
        case
            when isfinite(correlations.raw_correlation)
                then round(greatest(-1.0, least(1.0, correlations.raw_correlation)), 10)
        end as correlation
    from pairs
    left join correlations
        on pairs.alpha_id = correlations.alpha_id and pairs.pool_alpha_id = correlations.pool_alpha_id
)

select
    alpha_id,
    pool_alpha_id,
    correlation,
    common_days,
    (common_days >= $minimum_days) as enough_days,
    max(abs(correlation)) over candidate as max_absolute_correlation,
    arg_max(pool_alpha_id, abs(correlation)) over candidate as most_correlated
from measured
window candidate as (partition by alpha_id)
order by alpha_id, pool_alpha_id
