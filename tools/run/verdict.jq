# What a report fails on, one line each; nothing if it is good.
#
# The counts themselves are checked by cprovread: what does not add up is in
# "errors".

def total: [.[]?] | add // 0;

.scenarios[]
| .name as $name
| (
	(("stock", "unhinted", "hinted") as $mode | select(.[$mode] == null)
	 | "\($name), \($mode): not run"),
	(to_entries[] | select(.key == ("stock", "unhinted", "hinted") and .value != null)
	 | .key as $mode | .value
	 | .files as $files
	 | (.errors[] | "\($name), \($mode): \(.) (\($files)/)"),
	   (select(.errors == [] and (.data_ok | not))
	    | "\($name), \($mode): the data read are not proven to be those written")),
	(.hinted // empty
	 | select(.errors == [])
	 | (select(.hint == null) | "\($name), hinted: the reads carried no hint"),
	   (select(.remote > 0)
	    | "\($name), hinted: \(.remote) of \(.ios) completions ran on another CPU than their consumer's"),
	   (select(.declined | total > 0)
	    | "\($name), hinted: the policy declined \(.declined | to_entries
	       | map(select(.value > 0) | "\(.value) times (\(.key))") | join(", "))"),
	   ((.decisions.complete | total) as $asked | select($asked < .ios)
	    | "\($name), hinted: the policy was asked about \($asked) of \(.ios) completions")),
	(select(.name == "one-queue") | .stock // empty
	 | select(.errors == [] and .remote_ratio < 0.5)
	 | "\($name), stock: remote ratio \(.remote_ratio), below 0.5: there was nothing to steer, so hinted proves nothing")
)
