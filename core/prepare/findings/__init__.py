"""What of a film helps or harms a training: measured, graded by stated limits, with advice.

record     a finding and its grades
rule       how a measured value becomes a finding
table      all rules with their limits and reasons
facts      the values that the rules judge; light, sharpness, movement, film: how some are measured
"""
