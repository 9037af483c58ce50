#!/usr/bin/env bash
# The backup job as a plain script, to compare with: one process per file for each thing to know, gzip,
# and ssh mkdir + scp per customer and type. It verifies nothing and removes all the same.
# backup.sh WHAT IN OUT ["SSH OPTIONS" HOST FAR]; WHAT is manifest, pack or all.
set -eu
what=$1 in=$2 out=$3
manifest=$out/manifest.csv
mkdir -p "$out"
: > "$manifest"
for type in traffic actives activations tolling; do
    for customer in $(cat "$in/customers"); do
        files=$(ls "$in/$type/${customer}_"*.csv | head -1000)
        for file in $files; do
            name=$(basename "$file")
            source=$(echo "$name" | cut -d_ -f3-)
            records=$(wc -l < "$file")
            size=$(stat -c %s "$file")
            written=$(stat -c %y "$file" | cut -d. -f1)
            sum=$(md5sum "$file" | cut -d' ' -f1)
            day=$(echo "$name" | grep -oE '20[0-9]{6}' | head -1)
            echo "$customer;$type;$source;$name;$written;$records;$size;$sum;$name.sem;$day" >> "$manifest"
        done
        [ "$what" = manifest ] && continue
        mkdir -p "$out/$type/$customer"
        for file in $files; do
            gzip -c "$file" > "$out/$type/$customer/$(basename "$file").gz"
        done
        [ "$what" = pack ] && continue
        # shellcheck disable=SC2086
        ssh $4 "$5" "mkdir -p $6/$type/$customer"
        # shellcheck disable=SC2086
        scp -q $4 "$out/$type/$customer/"*.gz "$5:$6/$type/$customer/"
        rm $files "$out/$type/$customer/"*.gz
    done
done
