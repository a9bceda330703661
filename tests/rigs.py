"""The joint lists of public rigs on a standing figure, for tests that should hold for anybody's skeleton.

A rig is a tree by indentation, one joint a line: name, the place of the body where it sits, and the role it plays if
that is not the place's own ("-" for none). ``*`` in a name is where the rig writes the side; such joints come twice,
left then right.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from moglow.anatomy import ROLES
from moglow.rotations import Array

# Metres, facing +Z, left is +X.
PLACES = {
    "floor": (0, 0, 0),
    "hips": (0, 0.95, 0),
    "spine": (0, 1.05, 0),
    "spine2": (0, 1.15, 0),
    "spine3": (0, 1.25, 0),
    "chest": (0, 1.33, 0),
    "neck": (0, 1.50, 0),
    "neck2": (0, 1.55, 0.01),
    "head": (0, 1.60, 0.02),
    "crown": (0, 1.78, 0.02),
    "clavicle": (0.03, 1.44, 0),
    "upper_arm": (0.18, 1.45, -0.01),
    "upper_arm_middle": (0.31, 1.45, -0.01),
    "forearm": (0.45, 1.45, -0.02),
    "forearm_middle": (0.57, 1.45, -0.02),
    "hand": (0.69, 1.45, -0.01),
    "palm": (0.72, 1.45, 0.02),
    "finger": (0.78, 1.45, -0.01),
    "finger2": (0.82, 1.45, -0.01),
    "finger3": (0.85, 1.45, -0.01),
    "thumb": (0.73, 1.43, 0.04),
    "thigh": (0.09, 0.91, 0),
    "thigh_middle": (0.09, 0.71, 0),
    "shin": (0.09, 0.50, 0.01),
    "shin_middle": (0.09, 0.28, 0),
    "foot": (0.09, 0.09, -0.03),
    "heel": (0.09, 0.02, -0.06),
    "toe": (0.09, 0.02, 0.10),
    "toe_tip": (0.09, 0.02, 0.18),
    "pelvis": (0.05, 1.0, 0.03),
    "breast": (0.08, 1.33, 0.1),
    "eye": (0.03, 1.68, 0.1),
}
DOG = {
    "floor": (0, 0, 0),
    "hips": (0, 0.50, -0.30),
    "spine": (0, 0.52, -0.10),
    "chest": (0, 0.52, 0.15),
    "neck": (0, 0.58, 0.28),
    "head": (0, 0.70, 0.40),
    "tail": (0, 0.52, -0.36),
    "tail2": (0, 0.50, -0.55),
    "thigh": (0.07, 0.48, -0.28),
    "shin": (0.08, 0.30, -0.20),
    "foot": (0.08, 0.14, -0.33),
    "toe": (0.08, 0.03, -0.28),
    "front_clavicle": (0.04, 0.55, 0.18),
    "front_thigh": (0.08, 0.42, 0.26),
    "front_shin": (0.08, 0.26, 0.18),
    "front_foot": (0.08, 0.08, 0.19),
    "front_toe": (0.08, 0.02, 0.24),
}


@dataclass(frozen=True)
class Rig:
    """Names, parents, rest positions, and what a person would say: the joint of each role, and partners."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: Array
    roles: Mapping[str, int]
    partners: tuple[int, ...]

    def scrambled(self) -> "Rig":
        """The same rig with names that say nothing."""
        return replace(self, names=tuple(f"q{j}x" for j in range(len(self.names))))


def _rig(tree: str, left: str, right: str, places: dict[str, tuple[float, float, float]] = PLACES) -> Rig:
    lines = [line for line in tree.splitlines() if line.strip()]
    names: list[str] = []
    parents: list[int] = []
    rest: list[Array] = []
    roles: dict[str, int] = {}
    twins: dict[tuple[int, str], int] = {}

    def add(first: int, side: str, parent: int) -> int:
        """Adds the joint of a line and all below it; returns the next line of the same depth or less."""
        depth = len(lines[first]) - len(lines[first].lstrip())
        name, place, role, *_ = [*(part.strip() for part in lines[first].split("|")), ""]
        role = role or (place if place in ROLES or f"left_{place}" in ROLES else "-")
        sides = ("left", "right") if "*" in name and not side else (side,)
        after = first + 1
        for this in sides:
            joint = len(names)
            names.append(name.replace("*", left if this == "left" else right))
            parents.append(parent)
            rest.append(np.array(places[place]) * np.array([-1.0 if this == "right" else 1.0, 1.0, 1.0]))
            if role != "-":
                roles[f"{this}_{role}" if this else role] = joint
            twins[first, this] = joint
            after = first + 1
            while after < len(lines) and len(lines[after]) - len(lines[after].lstrip()) > depth:
                after = add(after, this, joint)
        return after

    add(0, "", -1)
    partners = list(range(len(names)))
    for (line, side), joint in twins.items():
        if side:
            partners[joint] = twins[line, "right" if side == "left" else "left"]
    return Rig(tuple(names), tuple(parents), np.array(rest), roles, tuple(partners))


CMU = """
Hips | hips
 *HipJoint | hips | -
  *UpLeg | thigh
   *Leg | shin
    *Foot | foot
     *ToeBase | toe
 LowerBack | hips | -
  Spine | spine
   Spine1 | chest
    Neck | neck
     Neck1 | neck2
      Head | head
    *Shoulder | chest | clavicle
     *Arm | upper_arm
      *ForeArm | forearm
       *Hand | hand
        *FingerBase | finger
         *HandIndex1 | finger2
        *Thumb | hand | -
"""
BANDAI = """
joint_Root | floor
 Hips | hips
  Spine | spine
   Chest | chest
    Neck | neck
     Head | head
    Shoulder_* | clavicle
     UpperArm_* | upper_arm
      LowerArm_* | forearm
       Hand_* | hand
  UpperLeg_* | thigh
   LowerLeg_* | shin
    Foot_* | foot
     Toes_* | toe
"""
SNU = """
Hips | hips
 *UpLeg | thigh
  *Leg | shin
   *Foot | foot
    *Toes | toe
 Spine | spine
  Spine1 | chest
   HEad | head
   *Shoulder | clavicle
    *Arm | upper_arm
     *ForeArm | forearm
      *Hand | hand
"""
MIXAMO = """
mixamorig:Hips | hips
 mixamorig:Spine | spine
  mixamorig:Spine1 | spine2
   mixamorig:Spine2 | chest
    mixamorig:Neck | neck
     mixamorig:Head | head
      mixamorig:HeadTop_End | crown
      mixamorig:*Eye | eye
    mixamorig:*Shoulder | clavicle
     mixamorig:*Arm | upper_arm
      mixamorig:*ForeArm | forearm
       mixamorig:*Hand | hand
        mixamorig:*HandThumb1 | thumb
        mixamorig:*HandIndex1 | finger
         mixamorig:*HandIndex2 | finger2
          mixamorig:*HandIndex3 | finger3
 mixamorig:*UpLeg | thigh
  mixamorig:*Leg | shin
   mixamorig:*Foot | foot
    mixamorig:*ToeBase | toe
     mixamorig:*Toe_End | toe_tip
"""
RIGIFY = """
DEF-spine | hips
 DEF-pelvis.* | pelvis
 DEF-thigh.* | thigh
  DEF-thigh.*.001 | thigh_middle
   DEF-shin.* | shin
    DEF-shin.*.001 | shin_middle
     DEF-foot.* | foot
      DEF-toe.* | toe
 DEF-spine.001 | spine
  DEF-spine.002 | spine2
   DEF-spine.003 | chest
    DEF-spine.004 | neck
     DEF-spine.005 | neck2
      DEF-spine.006 | head
    DEF-breast.* | breast
    DEF-shoulder.* | clavicle
     DEF-upper_arm.* | upper_arm
      DEF-upper_arm.*.001 | upper_arm_middle
       DEF-forearm.* | forearm
        DEF-forearm.*.001 | forearm_middle
         DEF-hand.* | hand
          DEF-palm.01.* | palm
          DEF-f_index.01.* | finger
           DEF-f_index.02.* | finger2
          DEF-thumb.01.* | thumb
"""
UNREAL = """
root | floor
 pelvis | hips
  spine_01 | spine
   spine_02 | spine2
    spine_03 | spine3
     spine_05 | chest
      clavicle_* | clavicle
       upperarm_* | upper_arm
        lowerarm_* | forearm
         lowerarm_twist_01_* | forearm_middle
         hand_* | hand
          index_metacarpal_* | palm
           index_01_* | finger
            index_02_* | finger2
          thumb_01_* | thumb
        upperarm_twist_01_* | upper_arm_middle
      neck_01 | neck
       neck_02 | neck2
        head | head
  thigh_* | thigh
   calf_* | shin
    calf_twist_01_* | shin_middle
    foot_* | foot
     ball_* | toe
   thigh_twist_01_* | thigh_middle
 ik_foot_root | floor
  ik_foot_* | foot | -
 ik_hand_root | floor
  ik_hand_gun | floor
   ik_hand_* | hand | -
"""
XSENS = """
Hips | hips
 Chest | spine
  Chest2 | spine2
   Chest3 | spine3
    Chest4 | chest
     Neck | neck
      Head | head
     *Collar | clavicle
      *Shoulder | upper_arm
       *Elbow | forearm
        *Wrist | hand
 *Hip | thigh
  *Knee | shin
   *Ankle | foot
    *Toe | toe
"""
XSENS_MVN = """
Pelvis | hips
 L5 | spine
  L3 | spine2
   T12 | spine3
    T8 | chest
     Neck | neck
      Head | head
     * Shoulder | clavicle
      * Upper Arm | upper_arm
       * Forearm | forearm
        * Hand | hand
 * Upper Leg | thigh
  * Lower Leg | shin
   * Foot | foot
    * Toe | toe
"""
BIPED = """
Bip01 | hips | -
 Bip01 Pelvis | hips
  Bip01 Spine | spine
   Bip01 Spine1 | spine2
    Bip01 Spine2 | chest
     Bip01 Neck | neck
      Bip01 Head | head
      Bip01 * Clavicle | clavicle
       Bip01 * UpperArm | upper_arm
        Bip01 * Forearm | forearm
         Bip01 * Hand | hand
          Bip01 * Finger0 | thumb
          Bip01 * Finger1 | finger
           Bip01 * Finger11 | finger2
  Bip01 * Thigh | thigh
   Bip01 * Calf | shin
    Bip01 * Foot | foot
     Bip01 * Toe0 | toe
"""
# Without "triangle pelvis" 3ds Max hangs the thighs on the first joint of the spine.
BIPED_THIGHS_ON_SPINE = """
Bip01 | floor
 Bip01 Pelvis | hips
  Bip01 Spine | hips | spine
   Bip01 Spine1 | chest
    Bip01 Neck | neck
     Bip01 Head | head
     Bip01 * Clavicle | clavicle
      Bip01 * UpperArm | upper_arm
       Bip01 * Forearm | forearm
        Bip01 * Hand | hand
   Bip01 * Thigh | thigh
    Bip01 * Calf | shin
     Bip01 * Foot | foot
      Bip01 * Toe0 | toe
"""
SMPL = """
Pelvis | hips
 *_Hip | thigh
  *_Knee | shin
   *_Ankle | foot
    *_Foot | toe
 Spine1 | spine
  Spine2 | spine2
   Spine3 | chest
    Neck | neck
     Head | head
    *_Collar | clavicle
     *_Shoulder | upper_arm
      *_Elbow | forearm
       *_Wrist | hand
        *_Hand | finger
"""
ASF = """
root | hips
 *hipjoint | hips | -
  *femur | thigh
   *tibia | shin
    *foot | foot
     *toes | toe
 lowerback | spine
  upperback | spine2
   thorax | chest
    lowerneck | neck
     upperneck | neck2
      head | head
    *clavicle | clavicle
     *humerus | upper_arm
      *radius | forearm
       *wrist | hand
        *hand | palm
         *fingers | finger
        *thumb | thumb
"""
NO_TOES_NO_COLLAR = """
Root | floor
 Pelvis | hips
  Torso | spine
   Chest | chest
    Head | head
    *UpperArm | upper_arm
     *LowerArm | forearm
      *Hand | hand
  *UpperLeg | thigh
   *LowerLeg | shin
    *Foot | foot
"""
DAZ = """
hip | hips | -
 pelvis | hips
  *ThighBend | thigh
   *ThighTwist | thigh_middle
    *Shin | shin
     *Foot | foot
      *Metatarsals | heel
       *Toe | toe
        *BigToe | toe_tip
 abdomenLower | spine
  abdomenUpper | spine2
   chestLower | spine3
    chestUpper | chest
     *Collar | clavicle
      *ShldrBend | upper_arm
       *ShldrTwist | upper_arm_middle
        *ForearmBend | forearm
         *ForearmTwist | forearm_middle
          *Hand | hand
           *Thumb1 | thumb
           *Index1 | finger
            *Index2 | finger2
     *Pectoral | breast
     neckLower | neck
      neckUpper | neck2
       head | head
"""
ADVANCED_SKELETON = """
Root_M | hips
 Hip_* | thigh
  HipPart1_* | thigh_middle
   Knee_* | shin
    Ankle_* | foot
     Toes_* | toe
      ToesEnd_* | toe_tip
 Spine1_M | spine
  Spine2_M | spine2
   Chest_M | chest
    Scapula_* | clavicle
     Shoulder_* | upper_arm
      ShoulderPart1_* | upper_arm_middle
       Elbow_* | forearm
        Wrist_* | hand
         IndexFinger1_* | finger
         ThumbFinger1_* | thumb
    Neck_M | neck
     Head_M | head
"""
VRM = """
Root | floor
 J_Bip_C_Hips | hips
  J_Bip_C_Spine | spine
   J_Bip_C_Chest | spine2
    J_Bip_C_UpperChest | chest
     J_Bip_*_Shoulder | clavicle
      J_Bip_*_UpperArm | upper_arm
       J_Bip_*_LowerArm | forearm
        J_Bip_*_Hand | hand
         J_Bip_*_Index1 | finger
     J_Bip_C_Neck | neck
      J_Bip_C_Head | head
       J_Adj_*_FaceEye | eye
  J_Bip_*_UpperLeg | thigh
   J_Bip_*_LowerLeg | shin
    J_Bip_*_Foot | foot
     J_Bip_*_ToeBase | toe
"""
CHARACTER_CREATOR = """
CC_Base_BoneRoot | floor
 CC_Base_Hip | hips | -
  CC_Base_Pelvis | hips
   CC_Base_*_Thigh | thigh
    CC_Base_*_ThighTwist01 | thigh_middle
    CC_Base_*_Calf | shin
     CC_Base_*_CalfTwist01 | shin_middle
     CC_Base_*_Foot | foot
      CC_Base_*_ToeBase | toe
       CC_Base_*_BigToe1 | toe_tip
  CC_Base_Waist | spine
   CC_Base_Spine01 | spine2
    CC_Base_Spine02 | chest
     CC_Base_NeckTwist01 | neck
      CC_Base_NeckTwist02 | neck2
       CC_Base_Head | head
     CC_Base_*_Clavicle | clavicle
      CC_Base_*_Upperarm | upper_arm
       CC_Base_*_UpperarmTwist01 | upper_arm_middle
       CC_Base_*_Forearm | forearm
        CC_Base_*_Hand | hand
         CC_Base_*_Index1 | finger
"""
OPTITRACK = """
Hips | hips
 Ab | spine
  Chest | chest
   Neck | neck
    Head | head
   *Shoulder | clavicle
    *UArm | upper_arm
     *FArm | forearm
      *Hand | hand
 *Thigh | thigh
  *Shin | shin
   *Foot | foot
    *Toe | toe
"""
DOG_AS_BIPED = """
Hips | hips
 Spine | spine
  Spine1 | chest
   Neck | neck
    Head | head
   *Shoulder | front_clavicle
    *Arm | front_thigh
     *ForeArm | front_shin
      *Hand | front_foot
 *UpLeg | thigh
  *Leg | shin
   *Foot | foot
 Tail | tail
  Tail1 | tail2
"""
DOG_RIGIFY = """
DEF-spine | hips
 DEF-tail | tail
  DEF-tail.001 | tail2
 DEF-thigh.* | thigh
  DEF-shin.* | shin
   DEF-foot.* | foot
    DEF-toe.* | toe
 DEF-spine.001 | spine
  DEF-spine.002 | chest
   DEF-spine.003 | neck
    DEF-head | head
   DEF-shoulder.* | front_clavicle
    DEF-front_thigh.* | front_thigh
     DEF-front_shin.* | front_shin
      DEF-front_foot.* | front_foot
       DEF-front_toe.* | front_toe
"""

RIGS = {
    "cmu": _rig(CMU, "Left", "Right"),
    "bandai": _rig(BANDAI, "L", "R"),
    "snu": _rig(SNU, "Left", "Right"),
    "mixamo": _rig(MIXAMO, "Left", "Right"),
    "rigify": _rig(RIGIFY, "L", "R"),
    "unreal": _rig(UNREAL, "l", "r"),
    "xsens": _rig(XSENS, "Left", "Right"),
    "xsens mvn": _rig(XSENS_MVN, "Left", "Right"),
    "biped": _rig(BIPED, "L", "R"),
    "biped, thighs on the spine": _rig(BIPED_THIGHS_ON_SPINE, "L", "R"),
    "smpl": _rig(SMPL, "L", "R"),
    "asf": _rig(ASF, "l", "r"),
    "no toes, no collar bones": _rig(NO_TOES_NO_COLLAR, "Left", "Right"),
}
MORE_RIGS = {
    "daz": _rig(DAZ, "l", "r"),
    "advanced skeleton": _rig(ADVANCED_SKELETON, "L", "R"),
    "vrm": _rig(VRM, "L", "R"),
    "character creator": _rig(CHARACTER_CREATOR, "L", "R"),
    "optitrack": _rig(OPTITRACK, "L", "R"),
}
DOGS = {
    "named like a biped": _rig(DOG_AS_BIPED, "Left", "Right", DOG),
    "rigify": _rig(DOG_RIGIFY, "L", "R", DOG),
}
