;; Vectors of 128 bits wherever values go: constants of globals, parameters and results beyond what registers take, tables,
;; blocks, branches, and at the end of memory, in every kind of code.

(module $a
  (global (export "constant") v128 (v128.const i32x4 1 2 3 4))
  (global (export "variable") (mut v128) (v128.const i64x2 -1 0x0123456789abcdef))
  (global $before (mut i32) (i32.const 7))
  (global $kept (export "kept") (mut v128) (v128.const f32x4 0.5 -0 inf 1e10))
  (global $behind (mut i64) (i64.const -7))
  (func (export "around") (result i32 v128 i64) global.get $before global.get $kept global.get $behind)
  (func (export "keep") (param v128) local.get 0 global.set $kept))
(register "a" $a)
(assert_return (get $a "constant") (v128.const i32x4 1 2 3 4))
(assert_return (invoke $a "around") (i32.const 7) (v128.const f32x4 0.5 -0 inf 1e10) (i64.const -7))
(assert_return (invoke $a "keep" (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)))
(assert_return (invoke $a "around") (i32.const 7) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16) (i64.const -7))

(module $b
  (import "a" "constant" (global $constant v128))
  (import "a" "variable" (global $variable (mut v128)))
  (global $copy (export "copy") v128 (global.get $constant))
  (global $own (mut v128) (global.get $constant))
  (func (export "constant") (result v128) global.get $constant)
  (func (export "own") (result v128) global.get $own)
  (func (export "exchange") (param v128) (result v128 v128)
    global.get $variable
    local.get 0
    global.set $variable
    global.get $own
    global.get $variable
    global.set $own))
(assert_return (get $b "copy") (v128.const i32x4 1 2 3 4))
(assert_return (invoke $b "constant") (v128.const i32x4 1 2 3 4))
(assert_return (invoke $b "exchange" (v128.const i16x8 1 2 3 4 5 6 7 8))
  (v128.const i64x2 -1 0x0123456789abcdef) (v128.const i32x4 1 2 3 4))
(assert_return (get $a "variable") (v128.const i16x8 1 2 3 4 5 6 7 8))
(assert_return (invoke $b "own") (v128.const i16x8 1 2 3 4 5 6 7 8))

;; Far more parameters and results than there are registers, of mixed types, called in all ways.
(module $many
  (type $turns (func (param v128 i32 f64 i64 v128 v128 i32 v128 f64 v128 i32 v128 i64 v128 i32 f64 v128 v128 i32 v128 f64 v128 i32 i64 v128 v128 i32 f64 v128 v128 i32 v128 f64 i64 v128 i32 v128 v128 i32 f64 v128) (result v128 f64 i32 v128 v128 i32 v128 i64 f64 v128 i32 v128 v128 f64 i32 v128 v128 i64 i32 v128 f64 v128 i32 v128 v128 f64 i32 v128 i64 v128 i32 v128 f64 v128 i32 v128 v128 i64 f64 i32 v128)))
  (table funcref (elem $turn $turn_twice))
  (func $turn (export "turn") (type $turns)
    local.get 40
    local.get 39
    local.get 38
    local.get 37
    local.get 36
    local.get 35
    local.get 34
    local.get 33
    local.get 32
    local.get 31
    local.get 30
    local.get 29
    local.get 28
    local.get 27
    local.get 26
    local.get 25
    local.get 24
    local.get 23
    local.get 22
    local.get 21
    local.get 20
    local.get 19
    local.get 18
    local.get 17
    local.get 16
    local.get 15
    local.get 14
    local.get 13
    local.get 12
    local.get 11
    local.get 10
    local.get 9
    local.get 8
    local.get 7
    local.get 6
    local.get 5
    local.get 4
    local.get 3
    local.get 2
    local.get 1
    local.get 0)
  (type $back (func (param v128 f64 i32 v128 v128 i32 v128 i64 f64 v128 i32 v128 v128 f64 i32 v128 v128 i64 i32 v128 f64 v128 i32 v128 v128 f64 i32 v128 i64 v128 i32 v128 f64 v128 i32 v128 v128 i64 f64 i32 v128) (result v128 i32 f64 i64 v128 v128 i32 v128 f64 v128 i32 v128 i64 v128 i32 f64 v128 v128 i32 v128 f64 v128 i32 i64 v128 v128 i32 f64 v128 v128 i32 v128 f64 i64 v128 i32 v128 v128 i32 f64 v128)))
  (func $turn_back (type $back)
    local.get 40
    local.get 39
    local.get 38
    local.get 37
    local.get 36
    local.get 35
    local.get 34
    local.get 33
    local.get 32
    local.get 31
    local.get 30
    local.get 29
    local.get 28
    local.get 27
    local.get 26
    local.get 25
    local.get 24
    local.get 23
    local.get 22
    local.get 21
    local.get 20
    local.get 19
    local.get 18
    local.get 17
    local.get 16
    local.get 15
    local.get 14
    local.get 13
    local.get 12
    local.get 11
    local.get 10
    local.get 9
    local.get 8
    local.get 7
    local.get 6
    local.get 5
    local.get 4
    local.get 3
    local.get 2
    local.get 1
    local.get 0)
  (func $turn_twice (type $turns)
    local.get 0
    local.get 1
    local.get 2
    local.get 3
    local.get 4
    local.get 5
    local.get 6
    local.get 7
    local.get 8
    local.get 9
    local.get 10
    local.get 11
    local.get 12
    local.get 13
    local.get 14
    local.get 15
    local.get 16
    local.get 17
    local.get 18
    local.get 19
    local.get 20
    local.get 21
    local.get 22
    local.get 23
    local.get 24
    local.get 25
    local.get 26
    local.get 27
    local.get 28
    local.get 29
    local.get 30
    local.get 31
    local.get 32
    local.get 33
    local.get 34
    local.get 35
    local.get 36
    local.get 37
    local.get 38
    local.get 39
    local.get 40
    call $turn
    call $turn_back
    call $turn)
  (func (export "call") (type $turns)
    local.get 0
    local.get 1
    local.get 2
    local.get 3
    local.get 4
    local.get 5
    local.get 6
    local.get 7
    local.get 8
    local.get 9
    local.get 10
    local.get 11
    local.get 12
    local.get 13
    local.get 14
    local.get 15
    local.get 16
    local.get 17
    local.get 18
    local.get 19
    local.get 20
    local.get 21
    local.get 22
    local.get 23
    local.get 24
    local.get 25
    local.get 26
    local.get 27
    local.get 28
    local.get 29
    local.get 30
    local.get 31
    local.get 32
    local.get 33
    local.get 34
    local.get 35
    local.get 36
    local.get 37
    local.get 38
    local.get 39
    local.get 40
    call $turn_twice)
  (func (export "call_indirect") (type $turns)
    local.get 0
    local.get 1
    local.get 2
    local.get 3
    local.get 4
    local.get 5
    local.get 6
    local.get 7
    local.get 8
    local.get 9
    local.get 10
    local.get 11
    local.get 12
    local.get 13
    local.get 14
    local.get 15
    local.get 16
    local.get 17
    local.get 18
    local.get 19
    local.get 20
    local.get 21
    local.get 22
    local.get 23
    local.get 24
    local.get 25
    local.get 26
    local.get 27
    local.get 28
    local.get 29
    local.get 30
    local.get 31
    local.get 32
    local.get 33
    local.get 34
    local.get 35
    local.get 36
    local.get 37
    local.get 38
    local.get 39
    local.get 40
    i32.const 1
    call_indirect (type $turns))
  (func (export "lanes") (param v128 i32 f64 i64 v128 v128 i32 v128 f64 v128 i32 v128 i64 v128 i32 f64 v128 v128 i32 v128 f64 v128 i32 i64 v128 v128 i32 f64 v128 v128 i32 v128 f64 i64 v128 i32 v128 v128 i32 f64 v128) (result i32)
    (local i32)
    (loop $again (result i32)
      local.get 0 i32x4.extract_lane 0 local.get 4 i32x4.extract_lane 0 i32.add local.get 5 i32x4.extract_lane 0 i32.add local.get 7 i32x4.extract_lane 0 i32.add local.get 9 i32x4.extract_lane 0 i32.add local.get 11 i32x4.extract_lane 0 i32.add local.get 13 i32x4.extract_lane 0 i32.add local.get 16 i32x4.extract_lane 0 i32.add local.get 17 i32x4.extract_lane 0 i32.add local.get 19 i32x4.extract_lane 0 i32.add local.get 21 i32x4.extract_lane 0 i32.add local.get 24 i32x4.extract_lane 0 i32.add local.get 25 i32x4.extract_lane 0 i32.add local.get 28 i32x4.extract_lane 0 i32.add local.get 29 i32x4.extract_lane 0 i32.add local.get 31 i32x4.extract_lane 0 i32.add local.get 34 i32x4.extract_lane 0 i32.add local.get 36 i32x4.extract_lane 0 i32.add local.get 37 i32x4.extract_lane 0 i32.add local.get 40 i32x4.extract_lane 0 i32.add
      local.get 41 i32.const 1 i32.add local.tee 41 i32.const 3 i32.lt_s br_if $again))
  (func $recurse (export "recurse") (param i32 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128) (result v128)
    local.get 0
    i32.eqz
    if (result v128)
      local.get 10
    else
      local.get 0 i32.const 1 i32.sub
      local.get 10 local.get 1 local.get 2 local.get 3 local.get 4 local.get 5 local.get 6 local.get 7 local.get 8
      local.get 9 local.get 0 i32x4.splat i32x4.add
      call $recurse
    end))
(assert_return (invoke "turn" (v128.const i32x4 0 -1 2 2147483647) (i32.const 999503) (f64.const -18.25) (i64.const -3000000000000003) (v128.const i32x4 16 -17 18 2147483643) (v128.const i32x4 20 -21 22 2147483642) (i32.const 5999518) (v128.const i32x4 28 -29 30 2147483640) (f64.const -12.25) (v128.const i32x4 36 -37 38 2147483638) (i32.const 9999530) (v128.const i32x4 44 -45 46 2147483636) (i64.const -12000000000000012) (v128.const i32x4 52 -53 54 2147483634) (i32.const 13999542) (f64.const -5.25) (v128.const i32x4 64 -65 66 2147483631) (v128.const i32x4 68 -69 70 2147483630) (i32.const 17999554) (v128.const i32x4 76 -77 78 2147483628) (f64.const 0.25) (v128.const i32x4 84 -85 86 2147483626) (i32.const 21999566) (i64.const -23000000000000023) (v128.const i32x4 96 -97 98 2147483623) (v128.const i32x4 100 -101 102 2147483622) (i32.const 25999578) (f64.const 7.25) (v128.const i32x4 112 -113 114 2147483619) (v128.const i32x4 116 -117 118 2147483618) (i32.const 29999590) (v128.const i32x4 124 -125 126 2147483616) (f64.const 12.25) (i64.const -33000000000000033) (v128.const i32x4 136 -137 138 2147483613) (i32.const 34999605) (v128.const i32x4 144 -145 146 2147483611) (v128.const i32x4 148 -149 150 2147483610) (i32.const 37999614) (f64.const 19.25) (v128.const i32x4 160 -161 162 2147483607))
  (v128.const i32x4 160 -161 162 2147483607)
  (f64.const 19.25)
  (i32.const 37999614)
  (v128.const i32x4 148 -149 150 2147483610)
  (v128.const i32x4 144 -145 146 2147483611)
  (i32.const 34999605)
  (v128.const i32x4 136 -137 138 2147483613)
  (i64.const -33000000000000033)
  (f64.const 12.25)
  (v128.const i32x4 124 -125 126 2147483616)
  (i32.const 29999590)
  (v128.const i32x4 116 -117 118 2147483618)
  (v128.const i32x4 112 -113 114 2147483619)
  (f64.const 7.25)
  (i32.const 25999578)
  (v128.const i32x4 100 -101 102 2147483622)
  (v128.const i32x4 96 -97 98 2147483623)
  (i64.const -23000000000000023)
  (i32.const 21999566)
  (v128.const i32x4 84 -85 86 2147483626)
  (f64.const 0.25)
  (v128.const i32x4 76 -77 78 2147483628)
  (i32.const 17999554)
  (v128.const i32x4 68 -69 70 2147483630)
  (v128.const i32x4 64 -65 66 2147483631)
  (f64.const -5.25)
  (i32.const 13999542)
  (v128.const i32x4 52 -53 54 2147483634)
  (i64.const -12000000000000012)
  (v128.const i32x4 44 -45 46 2147483636)
  (i32.const 9999530)
  (v128.const i32x4 36 -37 38 2147483638)
  (f64.const -12.25)
  (v128.const i32x4 28 -29 30 2147483640)
  (i32.const 5999518)
  (v128.const i32x4 20 -21 22 2147483642)
  (v128.const i32x4 16 -17 18 2147483643)
  (i64.const -3000000000000003)
  (f64.const -18.25)
  (i32.const 999503)
  (v128.const i32x4 0 -1 2 2147483647))
(assert_return (invoke "call" (v128.const i32x4 0 -1 2 2147483647) (i32.const 999503) (f64.const -18.25) (i64.const -3000000000000003) (v128.const i32x4 16 -17 18 2147483643) (v128.const i32x4 20 -21 22 2147483642) (i32.const 5999518) (v128.const i32x4 28 -29 30 2147483640) (f64.const -12.25) (v128.const i32x4 36 -37 38 2147483638) (i32.const 9999530) (v128.const i32x4 44 -45 46 2147483636) (i64.const -12000000000000012) (v128.const i32x4 52 -53 54 2147483634) (i32.const 13999542) (f64.const -5.25) (v128.const i32x4 64 -65 66 2147483631) (v128.const i32x4 68 -69 70 2147483630) (i32.const 17999554) (v128.const i32x4 76 -77 78 2147483628) (f64.const 0.25) (v128.const i32x4 84 -85 86 2147483626) (i32.const 21999566) (i64.const -23000000000000023) (v128.const i32x4 96 -97 98 2147483623) (v128.const i32x4 100 -101 102 2147483622) (i32.const 25999578) (f64.const 7.25) (v128.const i32x4 112 -113 114 2147483619) (v128.const i32x4 116 -117 118 2147483618) (i32.const 29999590) (v128.const i32x4 124 -125 126 2147483616) (f64.const 12.25) (i64.const -33000000000000033) (v128.const i32x4 136 -137 138 2147483613) (i32.const 34999605) (v128.const i32x4 144 -145 146 2147483611) (v128.const i32x4 148 -149 150 2147483610) (i32.const 37999614) (f64.const 19.25) (v128.const i32x4 160 -161 162 2147483607))
  (v128.const i32x4 160 -161 162 2147483607)
  (f64.const 19.25)
  (i32.const 37999614)
  (v128.const i32x4 148 -149 150 2147483610)
  (v128.const i32x4 144 -145 146 2147483611)
  (i32.const 34999605)
  (v128.const i32x4 136 -137 138 2147483613)
  (i64.const -33000000000000033)
  (f64.const 12.25)
  (v128.const i32x4 124 -125 126 2147483616)
  (i32.const 29999590)
  (v128.const i32x4 116 -117 118 2147483618)
  (v128.const i32x4 112 -113 114 2147483619)
  (f64.const 7.25)
  (i32.const 25999578)
  (v128.const i32x4 100 -101 102 2147483622)
  (v128.const i32x4 96 -97 98 2147483623)
  (i64.const -23000000000000023)
  (i32.const 21999566)
  (v128.const i32x4 84 -85 86 2147483626)
  (f64.const 0.25)
  (v128.const i32x4 76 -77 78 2147483628)
  (i32.const 17999554)
  (v128.const i32x4 68 -69 70 2147483630)
  (v128.const i32x4 64 -65 66 2147483631)
  (f64.const -5.25)
  (i32.const 13999542)
  (v128.const i32x4 52 -53 54 2147483634)
  (i64.const -12000000000000012)
  (v128.const i32x4 44 -45 46 2147483636)
  (i32.const 9999530)
  (v128.const i32x4 36 -37 38 2147483638)
  (f64.const -12.25)
  (v128.const i32x4 28 -29 30 2147483640)
  (i32.const 5999518)
  (v128.const i32x4 20 -21 22 2147483642)
  (v128.const i32x4 16 -17 18 2147483643)
  (i64.const -3000000000000003)
  (f64.const -18.25)
  (i32.const 999503)
  (v128.const i32x4 0 -1 2 2147483647))
(assert_return (invoke "call_indirect" (v128.const i32x4 0 -1 2 2147483647) (i32.const 999503) (f64.const -18.25) (i64.const -3000000000000003) (v128.const i32x4 16 -17 18 2147483643) (v128.const i32x4 20 -21 22 2147483642) (i32.const 5999518) (v128.const i32x4 28 -29 30 2147483640) (f64.const -12.25) (v128.const i32x4 36 -37 38 2147483638) (i32.const 9999530) (v128.const i32x4 44 -45 46 2147483636) (i64.const -12000000000000012) (v128.const i32x4 52 -53 54 2147483634) (i32.const 13999542) (f64.const -5.25) (v128.const i32x4 64 -65 66 2147483631) (v128.const i32x4 68 -69 70 2147483630) (i32.const 17999554) (v128.const i32x4 76 -77 78 2147483628) (f64.const 0.25) (v128.const i32x4 84 -85 86 2147483626) (i32.const 21999566) (i64.const -23000000000000023) (v128.const i32x4 96 -97 98 2147483623) (v128.const i32x4 100 -101 102 2147483622) (i32.const 25999578) (f64.const 7.25) (v128.const i32x4 112 -113 114 2147483619) (v128.const i32x4 116 -117 118 2147483618) (i32.const 29999590) (v128.const i32x4 124 -125 126 2147483616) (f64.const 12.25) (i64.const -33000000000000033) (v128.const i32x4 136 -137 138 2147483613) (i32.const 34999605) (v128.const i32x4 144 -145 146 2147483611) (v128.const i32x4 148 -149 150 2147483610) (i32.const 37999614) (f64.const 19.25) (v128.const i32x4 160 -161 162 2147483607))
  (v128.const i32x4 160 -161 162 2147483607)
  (f64.const 19.25)
  (i32.const 37999614)
  (v128.const i32x4 148 -149 150 2147483610)
  (v128.const i32x4 144 -145 146 2147483611)
  (i32.const 34999605)
  (v128.const i32x4 136 -137 138 2147483613)
  (i64.const -33000000000000033)
  (f64.const 12.25)
  (v128.const i32x4 124 -125 126 2147483616)
  (i32.const 29999590)
  (v128.const i32x4 116 -117 118 2147483618)
  (v128.const i32x4 112 -113 114 2147483619)
  (f64.const 7.25)
  (i32.const 25999578)
  (v128.const i32x4 100 -101 102 2147483622)
  (v128.const i32x4 96 -97 98 2147483623)
  (i64.const -23000000000000023)
  (i32.const 21999566)
  (v128.const i32x4 84 -85 86 2147483626)
  (f64.const 0.25)
  (v128.const i32x4 76 -77 78 2147483628)
  (i32.const 17999554)
  (v128.const i32x4 68 -69 70 2147483630)
  (v128.const i32x4 64 -65 66 2147483631)
  (f64.const -5.25)
  (i32.const 13999542)
  (v128.const i32x4 52 -53 54 2147483634)
  (i64.const -12000000000000012)
  (v128.const i32x4 44 -45 46 2147483636)
  (i32.const 9999530)
  (v128.const i32x4 36 -37 38 2147483638)
  (f64.const -12.25)
  (v128.const i32x4 28 -29 30 2147483640)
  (i32.const 5999518)
  (v128.const i32x4 20 -21 22 2147483642)
  (v128.const i32x4 16 -17 18 2147483643)
  (i64.const -3000000000000003)
  (f64.const -18.25)
  (i32.const 999503)
  (v128.const i32x4 0 -1 2 2147483647))
(assert_return (invoke "lanes" (v128.const i32x4 0 -1 2 2147483647) (i32.const 999503) (f64.const -18.25) (i64.const -3000000000000003) (v128.const i32x4 16 -17 18 2147483643) (v128.const i32x4 20 -21 22 2147483642) (i32.const 5999518) (v128.const i32x4 28 -29 30 2147483640) (f64.const -12.25) (v128.const i32x4 36 -37 38 2147483638) (i32.const 9999530) (v128.const i32x4 44 -45 46 2147483636) (i64.const -12000000000000012) (v128.const i32x4 52 -53 54 2147483634) (i32.const 13999542) (f64.const -5.25) (v128.const i32x4 64 -65 66 2147483631) (v128.const i32x4 68 -69 70 2147483630) (i32.const 17999554) (v128.const i32x4 76 -77 78 2147483628) (f64.const 0.25) (v128.const i32x4 84 -85 86 2147483626) (i32.const 21999566) (i64.const -23000000000000023) (v128.const i32x4 96 -97 98 2147483623) (v128.const i32x4 100 -101 102 2147483622) (i32.const 25999578) (f64.const 7.25) (v128.const i32x4 112 -113 114 2147483619) (v128.const i32x4 116 -117 118 2147483618) (i32.const 29999590) (v128.const i32x4 124 -125 126 2147483616) (f64.const 12.25) (i64.const -33000000000000033) (v128.const i32x4 136 -137 138 2147483613) (i32.const 34999605) (v128.const i32x4 144 -145 146 2147483611) (v128.const i32x4 148 -149 150 2147483610) (i32.const 37999614) (f64.const 19.25) (v128.const i32x4 160 -161 162 2147483607)) (i32.const 1624))
(assert_return (invoke "recurse" (i32.const 0) (v128.const i32x4 0 100 200 300) (v128.const i32x4 1 101 201 301) (v128.const i32x4 2 102 202 302) (v128.const i32x4 3 103 203 303) (v128.const i32x4 4 104 204 304) (v128.const i32x4 5 105 205 305) (v128.const i32x4 6 106 206 306) (v128.const i32x4 7 107 207 307) (v128.const i32x4 8 108 208 308) (v128.const i32x4 9 109 209 309)) (v128.const i32x4 9 109 209 309))
(assert_return (invoke "recurse" (i32.const 1) (v128.const i32x4 0 100 200 300) (v128.const i32x4 1 101 201 301) (v128.const i32x4 2 102 202 302) (v128.const i32x4 3 103 203 303) (v128.const i32x4 4 104 204 304) (v128.const i32x4 5 105 205 305) (v128.const i32x4 6 106 206 306) (v128.const i32x4 7 107 207 307) (v128.const i32x4 8 108 208 308) (v128.const i32x4 9 109 209 309)) (v128.const i32x4 9 109 209 309))
(assert_return (invoke "recurse" (i32.const 25) (v128.const i32x4 0 100 200 300) (v128.const i32x4 1 101 201 301) (v128.const i32x4 2 102 202 302) (v128.const i32x4 3 103 203 303) (v128.const i32x4 4 104 204 304) (v128.const i32x4 5 105 205 305) (v128.const i32x4 6 106 206 306) (v128.const i32x4 7 107 207 307) (v128.const i32x4 8 108 208 308) (v128.const i32x4 9 109 209 309)) (v128.const i32x4 37 137 237 337))

;; Where ways part and meet.
(module $control
  (func (export "select") (param v128 v128 i32) (result v128 v128)
    local.get 0 local.get 1 local.get 2 select
    local.get 0 local.get 1 local.get 2 i32.eqz select (result v128))
  (func (export "if") (param v128 i32) (result v128)
    v128.const i32x4 1 1 1 1
    local.get 0
    local.get 1
    if (param v128 v128) (result v128)
      i32x4.add
    else
      i32x4.sub
    end)
  (func (export "loop") (param i32) (result v128 v128) (local $sum v128)
    v128.const i64x2 1 2
    loop (param v128) (result v128)
      local.get $sum
      v128.const i64x2 10 20
      i64x2.add
      local.set $sum
      v128.const i64x2 3 3
      i64x2.mul
      local.get 0 i32.const 1 i32.sub local.tee 0
      br_if 0
    end
    local.get $sum)
  (func (export "br_table") (param v128 v128 i32) (result v128 i32)
    (block (result v128)
      (block (result v128)
        (block (result v128)
          local.get 0
          local.get 1
          f32x4.add
          local.get 2
          br_table 0 1 2)
        local.get 1
        i8x16.sub
        i32.const 100
        return)
      v128.not
      i32.const 101
      return)
    i32.const 102)
  (func (export "br_if") (param v128 i32) (result v128)
    (block (result v128)
      i64.const 5
      local.get 0
      i32.const 7
      i16x8.splat
      i16x8.add
      local.get 1
      br_if 0
      i16x8.neg
      br 0))
  (func (export "tee") (param v128 i32) (result v128 v128) (local v128)
    local.get 0
    local.get 0
    i8x16.popcnt
    local.tee 2
    local.set 0
    local.get 1
    if
      v128.const i32x4 9 9 9 9
      local.set 2
    end
    local.get 0
    local.get 2
    i8x16.add))
(assert_return (invoke "select" (v128.const i32x4 1 -2 3 -4) (v128.const i32x4 10 20 30 40) (i32.const 1)) (v128.const i32x4 1 -2 3 -4) (v128.const i32x4 10 20 30 40))
(assert_return (invoke "select" (v128.const i32x4 1 -2 3 -4) (v128.const i32x4 10 20 30 40) (i32.const 0)) (v128.const i32x4 10 20 30 40) (v128.const i32x4 1 -2 3 -4))
(assert_return (invoke "if" (v128.const i32x4 1 -2 3 -4) (i32.const 1)) (v128.const i32x4 2 -1 4 -3))
(assert_return (invoke "if" (v128.const i32x4 1 -2 3 -4) (i32.const 0)) (v128.const i32x4 0 3 -2 5))
(assert_return (invoke "loop" (i32.const 5)) (v128.const i64x2 243 486) (v128.const i64x2 50 100))
(assert_return (invoke "br_table" (v128.const f32x4 1 2 3 4) (v128.const f32x4 0.5 0.5 0.5 0.5) (i32.const 2))
  (v128.const f32x4 1.5 2.5 3.5 4.5) (i32.const 102))
(assert_return (invoke "br_table" (v128.const f32x4 1 2 3 4) (v128.const f32x4 0 0 0 0) (i32.const 1))
  (v128.const i32x4 0xc07fffff 0xbfffffff 0xbfbfffff 0xbf7fffff) (i32.const 101))
(assert_return (invoke "br_table" (v128.const i32x4 0 0 0 0) (v128.const i32x4 1 2 3 0x0403) (i32.const 0))
  (v128.const i32x4 0 0 0 0) (i32.const 100))
(assert_return (invoke "br_if" (v128.const i16x8 1 2 3 4 5 6 7 8) (i32.const 1)) (v128.const i16x8 8 9 10 11 12 13 14 15))
(assert_return (invoke "br_if" (v128.const i16x8 1 2 3 4 5 6 7 8) (i32.const 0)) (v128.const i16x8 -8 -9 -10 -11 -12 -13 -14 -15))
(assert_return (invoke "tee" (v128.const i8x16 0 1 3 7 15 31 63 127 255 0 0 0 0 0 0 0) (i32.const 0))
  (v128.const i8x16 0 1 3 7 15 31 63 127 255 0 0 0 0 0 0 0) (v128.const i8x16 0 2 4 6 8 10 12 14 16 0 0 0 0 0 0 0))
(assert_return (invoke "tee" (v128.const i8x16 0 1 3 7 15 31 63 127 255 0 0 0 0 0 0 0) (i32.const 1))
  (v128.const i8x16 0 1 3 7 15 31 63 127 255 0 0 0 0 0 0 0) (v128.const i8x16 9 1 2 3 13 5 6 7 17 0 0 0 9 0 0 0))

;; At the end of memory, at every alignment. The last sixteen bytes are 0xf0 to 0xff.
(module $end
  (memory 1)
  (data (i32.const 65520) "\f0\f1\f2\f3\f4\f5\f6\f7\f8\f9\fa\fb\fc\fd\fe\ff")
  (func (export "last") (result v128) i32.const 0 v128.load offset=65520)
  (func (export "v128.load") (param i32) (result v128) local.get 0 v128.load)
  (func (export "v128.load-far") (param i32) (result v128) local.get 0 v128.load offset=65528)
  (func (export "v128.load8x8_s") (param i32) (result v128) local.get 0 v128.load8x8_s)
  (func (export "v128.load8x8_s-far") (param i32) (result v128) local.get 0 v128.load8x8_s offset=65528)
  (func (export "v128.load8x8_u") (param i32) (result v128) local.get 0 v128.load8x8_u)
  (func (export "v128.load8x8_u-far") (param i32) (result v128) local.get 0 v128.load8x8_u offset=65528)
  (func (export "v128.load16x4_s") (param i32) (result v128) local.get 0 v128.load16x4_s)
  (func (export "v128.load16x4_s-far") (param i32) (result v128) local.get 0 v128.load16x4_s offset=65528)
  (func (export "v128.load16x4_u") (param i32) (result v128) local.get 0 v128.load16x4_u)
  (func (export "v128.load16x4_u-far") (param i32) (result v128) local.get 0 v128.load16x4_u offset=65528)
  (func (export "v128.load32x2_s") (param i32) (result v128) local.get 0 v128.load32x2_s)
  (func (export "v128.load32x2_s-far") (param i32) (result v128) local.get 0 v128.load32x2_s offset=65528)
  (func (export "v128.load32x2_u") (param i32) (result v128) local.get 0 v128.load32x2_u)
  (func (export "v128.load32x2_u-far") (param i32) (result v128) local.get 0 v128.load32x2_u offset=65528)
  (func (export "v128.load8_splat") (param i32) (result v128) local.get 0 v128.load8_splat)
  (func (export "v128.load8_splat-far") (param i32) (result v128) local.get 0 v128.load8_splat offset=65528)
  (func (export "v128.load16_splat") (param i32) (result v128) local.get 0 v128.load16_splat)
  (func (export "v128.load16_splat-far") (param i32) (result v128) local.get 0 v128.load16_splat offset=65528)
  (func (export "v128.load32_splat") (param i32) (result v128) local.get 0 v128.load32_splat)
  (func (export "v128.load32_splat-far") (param i32) (result v128) local.get 0 v128.load32_splat offset=65528)
  (func (export "v128.load64_splat") (param i32) (result v128) local.get 0 v128.load64_splat)
  (func (export "v128.load64_splat-far") (param i32) (result v128) local.get 0 v128.load64_splat offset=65528)
  (func (export "v128.load32_zero") (param i32) (result v128) local.get 0 v128.load32_zero)
  (func (export "v128.load32_zero-far") (param i32) (result v128) local.get 0 v128.load32_zero offset=65528)
  (func (export "v128.load64_zero") (param i32) (result v128) local.get 0 v128.load64_zero)
  (func (export "v128.load64_zero-far") (param i32) (result v128) local.get 0 v128.load64_zero offset=65528)
  (func (export "load8_lane") (param i32 v128) (result v128) local.get 0 local.get 1 v128.load8_lane 15)
  (func (export "store8_lane") (param i32 v128) local.get 0 local.get 1 v128.store8_lane 15)
  (func (export "store8_lane-far") (param i32 v128) local.get 0 local.get 1 v128.store8_lane offset=65528 0)
  (func (export "load16_lane") (param i32 v128) (result v128) local.get 0 local.get 1 v128.load16_lane 7)
  (func (export "store16_lane") (param i32 v128) local.get 0 local.get 1 v128.store16_lane 7)
  (func (export "store16_lane-far") (param i32 v128) local.get 0 local.get 1 v128.store16_lane offset=65528 0)
  (func (export "load32_lane") (param i32 v128) (result v128) local.get 0 local.get 1 v128.load32_lane 3)
  (func (export "store32_lane") (param i32 v128) local.get 0 local.get 1 v128.store32_lane 3)
  (func (export "store32_lane-far") (param i32 v128) local.get 0 local.get 1 v128.store32_lane offset=65528 0)
  (func (export "load64_lane") (param i32 v128) (result v128) local.get 0 local.get 1 v128.load64_lane 1)
  (func (export "store64_lane") (param i32 v128) local.get 0 local.get 1 v128.store64_lane 1)
  (func (export "store64_lane-far") (param i32 v128) local.get 0 local.get 1 v128.store64_lane offset=65528 0)
  (func (export "store") (param i32 v128) local.get 0 local.get 1 v128.store)
  (func (export "store-far") (param i32 v128) local.get 0 local.get 1 v128.store offset=0xffffffff))
(assert_return (invoke "v128.load" (i32.const 65520)) (v128.const i8x16 0xf0 0xf1 0xf2 0xf3 0xf4 0xf5 0xf6 0xf7 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe 0xff))
(assert_return (invoke "v128.load" (i32.const 65519)) (v128.const i8x16 0x00 0xf0 0xf1 0xf2 0xf3 0xf4 0xf5 0xf6 0xf7 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe))
(assert_trap (invoke "v128.load" (i32.const 65521)) "out of bounds memory access")
(assert_trap (invoke "v128.load" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load" (i32.const -16)) "out of bounds memory access")
(assert_trap (invoke "v128.load-far" (i32.const 0)) "out of bounds memory access")
(assert_return (invoke "v128.load8x8_s" (i32.const 65528)) (v128.const i8x16 0xf8 0xff 0xf9 0xff 0xfa 0xff 0xfb 0xff 0xfc 0xff 0xfd 0xff 0xfe 0xff 0xff 0xff))
(assert_return (invoke "v128.load8x8_s" (i32.const 65527)) (v128.const i8x16 0xf7 0xff 0xf8 0xff 0xf9 0xff 0xfa 0xff 0xfb 0xff 0xfc 0xff 0xfd 0xff 0xfe 0xff))
(assert_trap (invoke "v128.load8x8_s" (i32.const 65529)) "out of bounds memory access")
(assert_trap (invoke "v128.load8x8_s" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load8x8_s" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load8x8_s" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load8x8_s" (i32.const -8)) "out of bounds memory access")
(assert_trap (invoke "v128.load8x8_s-far" (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "v128.load8x8_u" (i32.const 65528)) (v128.const i8x16 0xf8 0x00 0xf9 0x00 0xfa 0x00 0xfb 0x00 0xfc 0x00 0xfd 0x00 0xfe 0x00 0xff 0x00))
(assert_return (invoke "v128.load8x8_u" (i32.const 65527)) (v128.const i8x16 0xf7 0x00 0xf8 0x00 0xf9 0x00 0xfa 0x00 0xfb 0x00 0xfc 0x00 0xfd 0x00 0xfe 0x00))
(assert_trap (invoke "v128.load8x8_u" (i32.const 65529)) "out of bounds memory access")
(assert_trap (invoke "v128.load8x8_u" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load8x8_u" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load8x8_u" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load8x8_u" (i32.const -8)) "out of bounds memory access")
(assert_trap (invoke "v128.load8x8_u-far" (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "v128.load16x4_s" (i32.const 65528)) (v128.const i8x16 0xf8 0xf9 0xff 0xff 0xfa 0xfb 0xff 0xff 0xfc 0xfd 0xff 0xff 0xfe 0xff 0xff 0xff))
(assert_return (invoke "v128.load16x4_s" (i32.const 65527)) (v128.const i8x16 0xf7 0xf8 0xff 0xff 0xf9 0xfa 0xff 0xff 0xfb 0xfc 0xff 0xff 0xfd 0xfe 0xff 0xff))
(assert_trap (invoke "v128.load16x4_s" (i32.const 65529)) "out of bounds memory access")
(assert_trap (invoke "v128.load16x4_s" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load16x4_s" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load16x4_s" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load16x4_s" (i32.const -8)) "out of bounds memory access")
(assert_trap (invoke "v128.load16x4_s-far" (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "v128.load16x4_u" (i32.const 65528)) (v128.const i8x16 0xf8 0xf9 0x00 0x00 0xfa 0xfb 0x00 0x00 0xfc 0xfd 0x00 0x00 0xfe 0xff 0x00 0x00))
(assert_return (invoke "v128.load16x4_u" (i32.const 65527)) (v128.const i8x16 0xf7 0xf8 0x00 0x00 0xf9 0xfa 0x00 0x00 0xfb 0xfc 0x00 0x00 0xfd 0xfe 0x00 0x00))
(assert_trap (invoke "v128.load16x4_u" (i32.const 65529)) "out of bounds memory access")
(assert_trap (invoke "v128.load16x4_u" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load16x4_u" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load16x4_u" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load16x4_u" (i32.const -8)) "out of bounds memory access")
(assert_trap (invoke "v128.load16x4_u-far" (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "v128.load32x2_s" (i32.const 65528)) (v128.const i8x16 0xf8 0xf9 0xfa 0xfb 0xff 0xff 0xff 0xff 0xfc 0xfd 0xfe 0xff 0xff 0xff 0xff 0xff))
(assert_return (invoke "v128.load32x2_s" (i32.const 65527)) (v128.const i8x16 0xf7 0xf8 0xf9 0xfa 0xff 0xff 0xff 0xff 0xfb 0xfc 0xfd 0xfe 0xff 0xff 0xff 0xff))
(assert_trap (invoke "v128.load32x2_s" (i32.const 65529)) "out of bounds memory access")
(assert_trap (invoke "v128.load32x2_s" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load32x2_s" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load32x2_s" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load32x2_s" (i32.const -8)) "out of bounds memory access")
(assert_trap (invoke "v128.load32x2_s-far" (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "v128.load32x2_u" (i32.const 65528)) (v128.const i8x16 0xf8 0xf9 0xfa 0xfb 0x00 0x00 0x00 0x00 0xfc 0xfd 0xfe 0xff 0x00 0x00 0x00 0x00))
(assert_return (invoke "v128.load32x2_u" (i32.const 65527)) (v128.const i8x16 0xf7 0xf8 0xf9 0xfa 0x00 0x00 0x00 0x00 0xfb 0xfc 0xfd 0xfe 0x00 0x00 0x00 0x00))
(assert_trap (invoke "v128.load32x2_u" (i32.const 65529)) "out of bounds memory access")
(assert_trap (invoke "v128.load32x2_u" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load32x2_u" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load32x2_u" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load32x2_u" (i32.const -8)) "out of bounds memory access")
(assert_trap (invoke "v128.load32x2_u-far" (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "v128.load8_splat" (i32.const 65535)) (v128.const i8x16 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff))
(assert_return (invoke "v128.load8_splat" (i32.const 65534)) (v128.const i8x16 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe 0xfe))
(assert_trap (invoke "v128.load8_splat" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load8_splat" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load8_splat-far" (i32.const 8)) "out of bounds memory access")
(assert_return (invoke "v128.load16_splat" (i32.const 65534)) (v128.const i8x16 0xfe 0xff 0xfe 0xff 0xfe 0xff 0xfe 0xff 0xfe 0xff 0xfe 0xff 0xfe 0xff 0xfe 0xff))
(assert_return (invoke "v128.load16_splat" (i32.const 65533)) (v128.const i8x16 0xfd 0xfe 0xfd 0xfe 0xfd 0xfe 0xfd 0xfe 0xfd 0xfe 0xfd 0xfe 0xfd 0xfe 0xfd 0xfe))
(assert_trap (invoke "v128.load16_splat" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load16_splat" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load16_splat" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load16_splat" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load16_splat" (i32.const -2)) "out of bounds memory access")
(assert_trap (invoke "v128.load16_splat-far" (i32.const 7)) "out of bounds memory access")
(assert_return (invoke "v128.load32_splat" (i32.const 65532)) (v128.const i8x16 0xfc 0xfd 0xfe 0xff 0xfc 0xfd 0xfe 0xff 0xfc 0xfd 0xfe 0xff 0xfc 0xfd 0xfe 0xff))
(assert_return (invoke "v128.load32_splat" (i32.const 65531)) (v128.const i8x16 0xfb 0xfc 0xfd 0xfe 0xfb 0xfc 0xfd 0xfe 0xfb 0xfc 0xfd 0xfe 0xfb 0xfc 0xfd 0xfe))
(assert_trap (invoke "v128.load32_splat" (i32.const 65533)) "out of bounds memory access")
(assert_trap (invoke "v128.load32_splat" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load32_splat" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load32_splat" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load32_splat" (i32.const -4)) "out of bounds memory access")
(assert_trap (invoke "v128.load32_splat-far" (i32.const 5)) "out of bounds memory access")
(assert_return (invoke "v128.load64_splat" (i32.const 65528)) (v128.const i8x16 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe 0xff 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe 0xff))
(assert_return (invoke "v128.load64_splat" (i32.const 65527)) (v128.const i8x16 0xf7 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe 0xf7 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe))
(assert_trap (invoke "v128.load64_splat" (i32.const 65529)) "out of bounds memory access")
(assert_trap (invoke "v128.load64_splat" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load64_splat" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load64_splat" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load64_splat" (i32.const -8)) "out of bounds memory access")
(assert_trap (invoke "v128.load64_splat-far" (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "v128.load32_zero" (i32.const 65532)) (v128.const i8x16 0xfc 0xfd 0xfe 0xff 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00))
(assert_return (invoke "v128.load32_zero" (i32.const 65531)) (v128.const i8x16 0xfb 0xfc 0xfd 0xfe 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00))
(assert_trap (invoke "v128.load32_zero" (i32.const 65533)) "out of bounds memory access")
(assert_trap (invoke "v128.load32_zero" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load32_zero" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load32_zero" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load32_zero" (i32.const -4)) "out of bounds memory access")
(assert_trap (invoke "v128.load32_zero-far" (i32.const 5)) "out of bounds memory access")
(assert_return (invoke "v128.load64_zero" (i32.const 65528)) (v128.const i8x16 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe 0xff 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00))
(assert_return (invoke "v128.load64_zero" (i32.const 65527)) (v128.const i8x16 0xf7 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00))
(assert_trap (invoke "v128.load64_zero" (i32.const 65529)) "out of bounds memory access")
(assert_trap (invoke "v128.load64_zero" (i32.const 65535)) "out of bounds memory access")
(assert_trap (invoke "v128.load64_zero" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "v128.load64_zero" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "v128.load64_zero" (i32.const -8)) "out of bounds memory access")
(assert_trap (invoke "v128.load64_zero-far" (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "load8_lane" (i32.const 65535) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0xff))
(assert_trap (invoke "load8_lane" (i32.const 65536) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store8_lane" (i32.const 65536) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store8_lane-far" (i32.const 8) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_return (invoke "load16_lane" (i32.const 65534) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0xfe 0xff))
(assert_trap (invoke "load16_lane" (i32.const 65535) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store16_lane" (i32.const 65535) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store16_lane" (i32.const 65536) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store16_lane-far" (i32.const 7) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_return (invoke "load32_lane" (i32.const 65532) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0xfc 0xfd 0xfe 0xff))
(assert_trap (invoke "load32_lane" (i32.const 65533) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store32_lane" (i32.const 65533) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store32_lane" (i32.const 65534) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store32_lane" (i32.const 65535) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store32_lane" (i32.const 65536) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store32_lane-far" (i32.const 5) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_return (invoke "load64_lane" (i32.const 65528) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe 0xff))
(assert_trap (invoke "load64_lane" (i32.const 65529) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store64_lane" (i32.const 65529) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store64_lane" (i32.const 65530) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store64_lane" (i32.const 65531) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store64_lane" (i32.const 65532) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store64_lane" (i32.const 65533) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store64_lane" (i32.const 65534) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store64_lane" (i32.const 65535) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store64_lane" (i32.const 65536) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store64_lane-far" (i32.const 1) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65521) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65522) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65523) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65524) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65525) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65526) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65527) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65528) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65529) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65530) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65531) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65532) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65533) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65534) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65535) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const 65536) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const -1) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store" (i32.const -16) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
(assert_trap (invoke "store-far" (i32.const 0) (v128.const i8x16 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00)) "out of bounds memory access")
;; What has trapped has written nothing.
(assert_return (invoke "last") (v128.const i8x16 0xf0 0xf1 0xf2 0xf3 0xf4 0xf5 0xf6 0xf7 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe 0xff))
(assert_return (invoke "store8_lane" (i32.const 65535) (v128.const i8x16 0x10 0x11 0x12 0x13 0x14 0x15 0x16 0x17 0x18 0x19 0x1a 0x1b 0x1c 0x1d 0x1e 0x1f)))
(assert_return (invoke "last") (v128.const i8x16 0xf0 0xf1 0xf2 0xf3 0xf4 0xf5 0xf6 0xf7 0xf8 0xf9 0xfa 0xfb 0xfc 0xfd 0xfe 0x1f))
(assert_return (invoke "store16_lane" (i32.const 65533) (v128.const i8x16 0x20 0x21 0x22 0x23 0x24 0x25 0x26 0x27 0x28 0x29 0x2a 0x2b 0x2c 0x2d 0x2e 0x2f)))
(assert_return (invoke "last") (v128.const i8x16 0xf0 0xf1 0xf2 0xf3 0xf4 0xf5 0xf6 0xf7 0xf8 0xf9 0xfa 0xfb 0xfc 0x2e 0x2f 0x1f))
(assert_return (invoke "store32_lane" (i32.const 65529) (v128.const i8x16 0x40 0x41 0x42 0x43 0x44 0x45 0x46 0x47 0x48 0x49 0x4a 0x4b 0x4c 0x4d 0x4e 0x4f)))
(assert_return (invoke "last") (v128.const i8x16 0xf0 0xf1 0xf2 0xf3 0xf4 0xf5 0xf6 0xf7 0xf8 0x4c 0x4d 0x4e 0x4f 0x2e 0x2f 0x1f))
(assert_return (invoke "store64_lane" (i32.const 65521) (v128.const i8x16 0x80 0x81 0x82 0x83 0x84 0x85 0x86 0x87 0x88 0x89 0x8a 0x8b 0x8c 0x8d 0x8e 0x8f)))
(assert_return (invoke "last") (v128.const i8x16 0xf0 0x88 0x89 0x8a 0x8b 0x8c 0x8d 0x8e 0x8f 0x4c 0x4d 0x4e 0x4f 0x2e 0x2f 0x1f))
(assert_return (invoke "store" (i32.const 65519) (v128.const i8x16 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10)))
(assert_return (invoke "last") (v128.const i8x16 0x02 0x03 0x04 0x05 0x06 0x07 0x08 0x09 0x0a 0x0b 0x0c 0x0d 0x0e 0x0f 0x10 0x1f))
