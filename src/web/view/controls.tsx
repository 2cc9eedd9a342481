// Buttons, as everything else uses them.

import type { ReactNode } from 'react';
import { Icon, type IconName } from './icons.js';

interface ButtonProps {
  readonly onClick: () => void;
  readonly icon?: IconName;
  readonly kind?: 'primary' | 'plain' | 'danger';
  readonly isDisabled?: boolean;
  /** What it does, and to what, where its words alone don't tell. */
  readonly label?: string;
  readonly children: ReactNode;
}

export function Button({ onClick, icon, kind = 'plain', isDisabled = false, label, children }: ButtonProps) {
  return (
    <button type="button" className={`button ${kind}`} aria-label={label} onClick={onClick} disabled={isDisabled}>
      {icon === undefined ? null : <Icon name={icon} />}
      <span>{children}</span>
    </button>
  );
}

interface IconButtonProps {
  readonly icon: IconName;
  /** What it does, and to what. */
  readonly label: string;
  /** What it does, for the pointer that rests on it. */
  readonly title: string;
  readonly onClick: () => void;
  readonly isExpanded?: boolean;
  readonly controls?: string;
}

export function IconButton({ icon, label, title, onClick, isExpanded, controls }: IconButtonProps) {
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={title}
      onClick={onClick}
      aria-expanded={isExpanded}
      aria-controls={controls}
    >
      <Icon name={icon} />
    </button>
  );
}
