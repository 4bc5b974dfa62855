-- description: How each candidate's daily profit correlates with that of each accepted alpha, on the days both have
-- input: candidate_pnl(alpha_id, date, pnl)
-- input: pool_pnl(alpha_id, date, pnl)
-- param: minimum_days = 250
-- check: unique(alpha_id, pool_alpha_id)
-- check: not_null(alpha_id, pool_alpha_id, common_days, enough_days)

-- The caller passes search-window days only. A correlation is null where there is no common day or one side does not
-- vary. It is rounded, so that two equal series have exactly 1. The last two columns repeat the candidate's worst case.
-- Each alpha becomes one list over all days, with 0 for a day it lacks, and a list of 1 and 0 for the days it has: the
-- sums over common days are then dot products of lists, half the time of a join by day. Profit varies much more
-- than its mean is large, so sums of squares lose nothing; what is left of a constant's variance is below 1e-12.
with days as (
    select distinct date from candidate_pnl
    union
    select distinct date from pool_pnl
),

everything as (
    select
        'candidate' as side,
        alpha_id,
        date,
        pnl
    from candidate_pnl
    union all
    select
        'pool' as side,
        alpha_id,
        date,
        pnl
    from pool_pnl
),

alphas as (
    select distinct
        side,
        alpha_id
    from everything
),

series as (
    select
        alphas.side,
        alphas.alpha_id,
        list(case when isfinite(everything.pnl) then everything.pnl else 0.0 end order by days.date) as profit,
        list(case when isfinite(everything.pnl) then everything.pnl * everything.pnl else 0.0 end order by days.date)
            as square,
        list(case when isfinite(everything.pnl) then 1.0 else 0.0 end order by days.date) as present
    from alphas
    cross join days
    left join everything
        on alphas.side = everything.side and alphas.alpha_id = everything.alpha_id and days.date = everything.date
    group by alphas.side, alphas.alpha_id
),

sums as (
    select
        mine.alpha_id,
        theirs.alpha_id as pool_alpha_id,
        list_dot_product(mine.present, theirs.present) as n,
        list_dot_product(mine.profit, theirs.present) as x,
        list_dot_product(mine.present, theirs.profit) as y,
        list_dot_product(mine.square, theirs.present) as xx,
        list_dot_product(mine.present, theirs.square) as yy,
        list_dot_product(mine.profit, theirs.profit) as xy
    from series as mine
    inner join series as theirs on mine.side = 'candidate' and theirs.side = 'pool'
),

measured as (
    select
        alpha_id,
        pool_alpha_id,
        n::bigint as common_days,
        case
            when n * xx - x * x > 1e-12 * n * xx and n * yy - y * y > 1e-12 * n * yy
                then round((n * xy - x * y) / (sqrt(n * xx - x * x) * sqrt(n * yy - y * y)), 10)
        end as correlation
    from sums
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
