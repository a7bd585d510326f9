#!/bin/sh
# A verdict program that fails: at the first call of the test `fails_once`, at every other.
# It has no PATH and no argument; where it notes its calls is the seat of the request.
read -r request
seat=${request#*\"seat\":\"}
seat=${seat%%\"*}
echo called >>"$seat/calls"
case $request in
*'"test":"fails_once"'*)
    if [ -e "$seat/before" ]; then
        echo '{"ended":{"how":"clean"},"programs":[],"seed":1,"wall_ms":1,"cpu_ms":1,"isolation":"B","survivors":0}'
        exit 0
    fi
    echo >"$seat/before"
    ;;
esac
exit 1
