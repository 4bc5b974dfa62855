"""The race: generators against each other on simulated markets whose alphas are known, under an equal budget.

plants      what is planted, from a file or built in
markets     one simulated market: panel, true expected returns, plants with their oracle Sharpe ratios
arms        who races: every generator, hill climbing, and random search of a learner's lengths
running     one arm on one market until its budget is spent
judging     what its proposals were worth, by figures that no generator can see
statistics  whether one arm beats another, paired by market
contest     all of it, in processes, kept on disk as it is done
report      the JSON, the page, the plots
"""
