"""Common given names, as evidence that a capitalised word is a person. Absence from the list is no evidence."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from stories.processors.offline.words import listed

FILE: Final = Path(__file__).with_name("given_names.txt")

GIVEN_NAMES = listed(
    """Aaron Abby Abigail Adam Adrian Agnes Ahmed Aisha Alan Albert Alejandro Alex Alexa Alexander Alexandra Alexis
    Alfred Ali Alice Alicia Alina Alison Allison Alyssa Amanda Amber Amelia Amina Amir Amit Amy Ana Anastasia Andre
    Andrea Andreas Andrei Andrew Andy Angela Angelina Anita Anja Ann Anna Anne Annie Anthony Antonio Anton Anya
    April Ariana Arjun Arthur Ashley Astrid Audrey Austin Ava Barbara Beatrice Becky Bella Ben Benjamin Bernard Beth
    Bethany Betty Bianca Bill Billy Bob Bobby Brad Bradley Brandon Brenda Brian Bridget Brittany Brooke Bruce Bruno
    Bryan Caitlin Caleb Calvin Cameron Camila Camille Carl Carla Carlos Carmen Carol Caroline Carolyn Carrie
    Catherine Cathy Cecilia Charles Charlie Charlotte Chelsea Chen Chloe Chris Christian Christina Christine
    Christopher Cindy Claire Clara Clare Claudia Clement Cody Colin Connor Craig Cristina Crystal Cynthia Daisy
    Damian Dan Dana Daniel Daniela Danielle Danny Darren Dave David Dawn Dean Deborah Debbie Deepak Denise Dennis
    Derek Diana Diane Diego Dimitri Dominic Don Donald Donna Dora Doris Dorothy Doug Douglas Dylan Ed Eddie Edgar
    Edith Edward Eileen Elaine Eleanor Elena Eli Elias Elijah Elisa Elise Elizabeth Ella Ellen Ellie Elliot Eloise
    Elsa Emil Emilia Emily Emma Enrique Eric Erica Erik Erin Ernest Esther Ethan Eugene Eva Evan Eve Evelyn Faith
    Farah Fatima Felicia Felix Fernando Fiona Florence Frances Francesca Francis Frank Franz Fred Freya Fritz
    Gabriel Gabriela Gary Gavin George Georgia Gerald Gina Giulia Giulio Gloria Gordon Grace Graham Greg Greta
    Gregory Guillermo Gustav Gwen Hana Hank Hannah Hans Harold Harriet Harry Hassan Hazel Heather Hector Heidi Helen
    Helena Henry Holly Hope Howard Hugh Hugo Ian Ibrahim Ida Igor Ingrid Irene Iris Isaac Isabel Isabella Ivan Ivy
    Jack Jackie Jackson Jacob Jake James Jamie Jan Jane Janet Janice Jared Jasmine Jason Javier Jay Jean Jeff
    Jeffrey Jen Jenna Jennifer Jenny Jeremy Jerry Jess Jesse Jessica Jill Jim Jimmy Jo Joan Joanna Joe Joel Johan
    Johanna John Johnny Jon Jonas Jonathan Jordan Jorge Jose Josef Joseph Josh Joshua Joy Joyce Juan Juanita Judith
    Judy Julia Julian Juliana Julie Juliet Julio June Justin Kai Karen Karim Karin Karl Kate Katherine Kathleen
    Kathryn Kathy Katie Katrina Kayla Keith Kelly Ken Kenneth Kenji Kevin Khalid Kim Kimberly Kirsten Klaus Kristen
    Kristin Kurt Kyle Lara Larry Lars Laura Lauren Layla Lea Leah Lee Leila Lena Leo Leon Leonard Leslie Lewis Liam
    Lily Lina Linda Lisa Liz Logan Lois Lola Lorenzo Louis Louise Luca Lucas Lucia Lucy Luis Luke Luna Lydia Lynn
    Mackenzie Madison Maggie Malik Marc Marcel Marcia Marco Marcus Margaret Maria Mariana Marie Marilyn Marina Mario
    Marion Marisa Mark Markus Marta Martha Martin Mary Mateo Matt Matteo Matthew Maureen Max Maya Megan Mehmet Mei
    Melanie Melissa Mia Michael Michelle Miguel Mike Mila Milan Miles Mira Miranda Miriam Mitchell Mohammed Moira
    Molly Monica Morgan Muhammad Nadia Nancy Naomi Natalia Natalie Natasha Nate Nathan Neha Neil Nia Nicholas Nick
    Nicole Nicolas Nigel Nikolai Nina Noah Noel Nora Norman Oleg Olga Oliver Olivia Omar Oscar Otto Owen Pablo
    Pamela Patricia Patrick Paul Paula Pauline Pedro Peggy Penelope Peter Petra Phil Philip Phillip Phoebe Pierre
    Priya Rachel Rafael Raj Ralph Ramon Randy Raul Ravi Ray Raymond Rebecca Regina Rene Renee Rhonda Ricardo Richard
    Rick Riley Rita Rob Robert Roberta Roberto Robin Rodrigo Roger Roland Ron Ronald Rosa Rose Rosie Ross Roy Ruby
    Russell Ruth Ryan Sabrina Sally Salma Sam Samantha Samir Samuel Sandra Sandy Sanjay Sara Sarah Scott Sean
    Sebastian Sergei Serena Seth Shannon Sharon Shaun Sheila Shirley Sienna Simon Sofia Sonia Sophia Sophie Stacy
    Stan Stanley Stefan Stella Stephanie Stephen Steve Steven Stuart Sue Sunil Susan Susanna Suzanne Sven Sylvia
    Tamara Tanya Tara Tatiana Taylor Ted Teresa Terry Thea Theo Theodore Theresa Thomas Tiffany Tim Timothy Tina
    Toby Todd Tom Tomas Tommy Toni Tony Tracy Travis Trevor Tyler Ulrich Uma Ursula Valentina Valerie Vanessa Vera
    Veronica Vicky Victor Victoria Vijay Vincent Violet Virginia Vivian Vladimir Wade Walter Wanda Wayne Wendy Will
    William Wolfgang Xavier Yasmin Yolanda Yuki Yusuf Yvonne Zach Zachary Zara Zoe"""
)
# Names that are words or places too: only what stands around them tells.
AMBIGUOUS_NAMES = listed(
    """April Amber Bill Brooke Christian Crystal Daisy Dawn Don Faith Frank Grace Hazel Holly Hope Iris Ivy Jack
    Jasmine Jay Jean Joy June Lily Mark Max Miles Pat Ray Robin Rose Ruby Sandy Sue Violet Will Wade Jan Dean Guy
    Harry Rob Josh Drew Chase Mike Eve Jordan Austin Madison Florence Victoria Georgia Virginia Charlotte Milan
    Jackson Lee Luna Chelsea Regina Taylor Paris Sydney Olympia Savannah Cameron Logan Morgan Sienna May August Autumn
    Summer Chad Mercedes Brooklyn Adelaide Carolina Dakota Kenya Lourdes Santiago Siena Alma
    Angel Art Basil Clay Cliff Earl Gene Ginger Heath Hunter Jade Kit Lance Mercy Olive Patience Pearl Penny Precious
    Blessing Reed Rich Rod Rosemary Rusty Skip Sky Skye Sunny Ward Wren Nick Peg Harmony Melody Constance Clement
    Rowan Fern Flora Heather Ginny Sol Luz Paz Nieves Pilar Rocío Dolores Consuelo Alba Estrella Marina Ines"""
)


@cache
def names_of_the_world() -> frozenset[str]:
    """Return given names of many languages that are hardly anything else: weaker evidence than the list above."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
